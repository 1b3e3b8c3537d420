"""The rows of the comparisons that the defaults of ``medtail train DATA`` rest on, for ``medtail compare --variants``.

What is decided without ``--method`` is a row of each table; the others are other methods with the same network and
budget, and, for small images, another optimizer. Where every method of one network is too much for two cores, a second
table, ``…_short``, has them with fewer epochs.

    python benchmarks/defaults.py pneumonia > rows.yaml
    medtail compare pneumoniamnist_ir9.npz --recipe small_images --variants rows.yaml --seeds 2 --out runs/pneumonia
"""

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

METHODS = ("ce", "balanced_softmax", "dal", "dbm_bs")

#: The methods of one network and one view, but ``logit_adjusted``, which is balanced softmax as it stands.
EVERY_METHOD = (
    *METHODS,
    "weighted_ce",
    "ldam_drw",
    "vector_scaling",
    "focal",
    "ce+soft_f1",
    "soft_mcc",
    "class_balanced",
    "ldam",
    "dbm",
    "dbm_drw",
    "dbm_cb",
    "ce_drw",
    "ce_drs",
    "awb",
    "complement_ce",
    "ce+soft_mcc",
    "soft_f1",
    "arcface",
    "cosface",
    "sphereface",
    "adacos",
    "vs_sam",
    "bce",
    "sigmoid_focal",
    "hill",
    "asl",
    "asl_softmax",
    "apl",
    "alpa",
)

#: AdaCos refuses two classes, for which its scale is 0.
EVERY_METHOD_OF_TWO_CLASSES = tuple(method for method in EVERY_METHOD if method != "adacos")

#: The two optimizers that small networks on small images are trained with.
SGD = {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4}}
ADAMW = {"optimizer": {"name": "adamw", "learning_rate": 0.003, "weight_decay": 0.05}}

#: Half of what the recipes of small and of other images train.
HALF = {"training": {"epochs": 15}}

ADAMW_64 = {"optimizer": {**ADAMW["optimizer"], "learning_rate": 1e-3}}
SIZE_64 = {"data": {"image_size": 64}}


def ham10000_28(weights: str) -> list[dict[str, Any]]:
    """ResNet-8, 30 epochs: every method of one network, and SGD for two of them."""
    return [*_rows("adamw", EVERY_METHOD, ADAMW), *_rows("sgd", METHODS[:2], SGD)]


def pneumonia(weights: str) -> list[dict[str, Any]]:
    """ResNet-20, half of the recipe's epochs: every method of one network, and SGD for two of them."""
    return [
        *_rows("adamw", EVERY_METHOD_OF_TWO_CLASSES, ADAMW, HALF),
        *_rows("sgd", METHODS[:2], SGD, HALF),
    ]


def bccd(weights: str) -> list[dict[str, Any]]:
    """EfficientNet-lite0 from published weights, 64 pixels, four epochs: every method of one network."""
    settings = {
        "backbone": {"name": "tf_efficientnet_lite0", "weights": weights},
        "training": {"epochs": 4, "precision": "32-true"},
    }
    return _rows("fine-tuned", EVERY_METHOD, settings)


def adrenal(weights: str) -> list[dict[str, Any]]:
    """A 3D ResNet-18 of 28 voxels per side, as the recipe has it."""
    return _rows("scratch", METHODS)


def adrenal_short(weights: str) -> list[dict[str, Any]]:
    """The same, every method of one network, three epochs."""
    return _rows("scratch", EVERY_METHOD_OF_TWO_CLASSES, {"training": {"epochs": 3}})


def ham10000_64(weights: str) -> list[dict[str, Any]]:
    """ResNet-18 from scratch, where no weights are at hand, half of the recipe's epochs: both optimizers."""
    sgd = {"optimizer": {**SGD["optimizer"], "learning_rate": 0.05}}
    return [
        *_rows("adamw", ("ce", "balanced_softmax", "dbm_bs"), ADAMW_64, SIZE_64, HALF),
        *_rows("sgd", METHODS[:2], sgd, SIZE_64, HALF),
    ]


def ham10000_64_short(weights: str) -> list[dict[str, Any]]:
    """The same, every method of one network, five epochs."""
    return _rows("adamw", EVERY_METHOD, ADAMW_64, SIZE_64, {"training": {"epochs": 5}})


def cifar100_lt(weights: str) -> list[dict[str, Any]]:
    """ResNet-20, half of the recipe's epochs: both optimizers."""
    return [*_rows("adamw", METHODS[:2], ADAMW, HALF), *_rows("sgd", METHODS[:2], SGD, HALF)]


def cifar100_lt_short(weights: str) -> list[dict[str, Any]]:
    """The same, every method of one network, six epochs."""
    return _rows("adamw", EVERY_METHOD, ADAMW, {"training": {"epochs": 6}})


TABLES: Mapping[str, Callable[[str], list[dict[str, Any]]]] = {
    table.__name__: table
    for table in (
        ham10000_28,
        pneumonia,
        bccd,
        adrenal,
        adrenal_short,
        ham10000_64,
        ham10000_64_short,
        cifar100_lt,
        cifar100_lt_short,
    )
}


def _rows(way: str, methods: tuple[str, ...], *settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    changes = {section: values for setting in settings for section, values in setting.items()}
    return [{"label": f"{way} {method}", "method": method, "set": changes} for method in methods]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--weights", default="published", help="a file, or 'published' (default)")
    arguments = parser.parse_args()
    print(json.dumps(TABLES[arguments.table](arguments.weights), indent=1))
