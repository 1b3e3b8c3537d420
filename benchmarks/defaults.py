"""The rows of the comparisons that the defaults of ``medtail train DATA`` rest on, for ``medtail compare --variants``.

What is decided without ``--method`` is a row of each table; the others are other methods with the same network and
budget, and, for small images, another optimizer.

    python benchmarks/defaults.py pneumonia > rows.yaml
    medtail compare pneumoniamnist_ir9.npz --recipe small_images --variants rows.yaml --seeds 2 --out runs/pneumonia
"""

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

METHODS = ("ce", "balanced_softmax", "dal", "dbm_bs")

#: The other methods of one network and one view, but ``logit_adjusted``, which is balanced softmax as it stands.
OTHER_METHODS = (
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

#: The two optimizers that small networks on small images are trained with.
SGD = {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4}}
ADAMW = {"optimizer": {"name": "adamw", "learning_rate": 0.003, "weight_decay": 0.05}}

#: Half of what the recipes of small and of other images train.
HALF = {"training": {"epochs": 15}}


def ham10000_28(weights: str) -> list[dict[str, Any]]:
    """ResNet-8, 30 epochs: every method of one network, and SGD for two of them."""
    return [*_rows("adamw", (*METHODS, *OTHER_METHODS), ADAMW), *_rows("sgd", METHODS[:2], SGD)]


def pneumonia(weights: str) -> list[dict[str, Any]]:
    """ResNet-20, half of the recipe's epochs: both optimizers."""
    return [*_rows("adamw", METHODS, ADAMW, HALF), *_rows("sgd", METHODS[:2], SGD, HALF)]


def bccd(weights: str) -> list[dict[str, Any]]:
    """EfficientNet-lite0 from published weights, 64 pixels, four epochs."""
    settings = {
        "backbone": {"name": "tf_efficientnet_lite0", "weights": weights},
        "training": {"epochs": 4, "precision": "32-true"},
    }
    return _rows("fine-tuned", METHODS, settings)


def adrenal(weights: str) -> list[dict[str, Any]]:
    """A 3D ResNet-18 of 28 voxels per side, as the recipe has it."""
    return _rows("scratch", METHODS)


def ham10000_64(weights: str) -> list[dict[str, Any]]:
    """ResNet-18 from scratch, where no weights are at hand, half of the recipe's epochs: both optimizers."""
    size = {"data": {"image_size": 64}}
    adamw = {"optimizer": {**ADAMW["optimizer"], "learning_rate": 1e-3}}
    sgd = {"optimizer": {**SGD["optimizer"], "learning_rate": 0.05}}
    return [*_rows("adamw", METHODS[:2], adamw, size, HALF), *_rows("sgd", METHODS[:2], sgd, size, HALF)]


def cifar100_lt(weights: str) -> list[dict[str, Any]]:
    """ResNet-20, half of the recipe's epochs: both optimizers."""
    return [*_rows("adamw", METHODS[:2], ADAMW, HALF), *_rows("sgd", METHODS[:2], SGD, HALF)]


TABLES: Mapping[str, Callable[[str], list[dict[str, Any]]]] = {
    table.__name__: table for table in (ham10000_28, pneumonia, bccd, adrenal, ham10000_64, cifar100_lt)
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
