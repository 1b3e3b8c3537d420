"""The rows of the comparisons that the defaults of ``medtail train DATA`` rest on, for ``medtail compare --variants``.

What is decided without ``--method`` is a row of each table; the others are other methods with the same network and
budget, and, for small images, another optimizer. Where every method of one network is too much for two cores, a second
table, ``…_short``, has them with fewer epochs.

    python benchmarks/defaults.py pneumonia > rows.yaml
    medtail compare pneumoniamnist_ir9.npz --recipe small_images --variants rows.yaml --seeds 2 --out runs/pneumonia

With ``--after``, the methods of several views, of a whole family of losses and of two stages, which learn from a
finished run of cross-entropy where they need one:

    python benchmarks/defaults.py pneumonia --after runs/pneumonia/adamw_ce-seed0 > further.yaml
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from medtail.recipes.compose import merge

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

#: Methods of several views or networks.
BRANCHES = ("bcl", "dbm_bcl", "ncl", "dbm_ncl")
LEARN_FROM_TEACHER = ("gml", "dbm_gml")

#: Methods that train a family of losses; their ablations are on the page of loss-conditional training.
FAMILIES = ("focal_lct", "dal_lct", "dbm_bs_lct")
FAMILIES_OF_TWO_CLASSES = (*FAMILIES, "vs_lct", "vs_sam_lct")

#: Methods that train a head, or its scales alone, on the features of a first run.
SECOND_STAGES = ("crt", "lws", "tau_normalized", "probe")

#: The two optimizers that small networks on small images are trained with.
SGD = {"optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4}}
ADAMW = {"optimizer": {"name": "adamw", "learning_rate": 0.003, "weight_decay": 0.05}}

#: Half of what the recipes of small and of other images train.
HALF = {"training": {"epochs": 15}}

ADAMW_64 = {"optimizer": {**ADAMW["optimizer"], "learning_rate": 1e-3}}
SGD_64 = {"optimizer": {**SGD["optimizer"], "learning_rate": 0.05}}
SIZE_64 = {"data": {"image_size": 64}}


def _rows(way: str, methods: Sequence[str], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"label": f"{way} {method}", "method": method, "set": settings} for method in methods]


@final
@dataclass(frozen=True)
class Budget:
    """How every method of a table is trained.

    Attributes:
        beginning: Of the labels.
        settings: What the recipe does not say.
        two_classes: Whether the data have two.
    """

    beginning: str
    settings: Mapping[str, Any]
    two_classes: bool = False

    def every_method(self) -> list[dict[str, Any]]:
        """The methods of one network, one view and one stage."""
        methods = EVERY_METHOD_OF_TWO_CLASSES if self.two_classes else EVERY_METHOD
        return _rows(self.beginning, methods, self.settings)

    def further_methods(self, first_run: str) -> list[dict[str, Any]]:
        """The others, with a finished run of cross-entropy as teacher and as first stage."""
        families = FAMILIES_OF_TWO_CLASSES if self.two_classes else FAMILIES
        taught = merge(self.settings, {"method": {"teacher": first_run}})
        # A second stage has the network, and a budget of its own.
        network = {key: value for key, value in self.settings.get("backbone", {}).items() if key == "name"}
        second = {"data": self.settings.get("data", {}), "backbone": {**network, "from_run": first_run}}
        return [
            *_rows(self.beginning, SECOND_STAGES, second),
            *_rows(self.beginning, families, self.settings),
            *_rows(self.beginning, LEARN_FROM_TEACHER, taught),
            *_rows(self.beginning, BRANCHES, self.settings),
        ]


def budgets(weights: str) -> dict[str, Budget]:
    """Return how every method is trained, by table."""
    fine_tuned = {
        "backbone": {"name": "tf_efficientnet_lite0", "weights": weights},
        "training": {"epochs": 4, "precision": "32-true"},
    }
    return {
        # ResNet-8, 30 epochs.
        "ham10000_28": Budget("adamw", ADAMW),
        # ResNet-18 from scratch, where no weights are at hand, five epochs.
        "ham10000_64_short": Budget("adamw", {**ADAMW_64, **SIZE_64, "training": {"epochs": 5}}),
        # ResNet-20, half of the recipe's epochs.
        "pneumonia": Budget("adamw", {**ADAMW, **HALF}, two_classes=True),
        # EfficientNet-lite0 from published weights, 64 pixels, four epochs.
        "bccd": Budget("fine-tuned", fine_tuned),
        # A 3D ResNet-18 of 28 voxels per side, three epochs.
        "adrenal_short": Budget("scratch", {"training": {"epochs": 3}}, two_classes=True),
        # ResNet-20, six epochs.
        "cifar100_lt_short": Budget("adamw", {**ADAMW, "training": {"epochs": 6}}),
    }


#: Rows beside every method: with SGD.
BESIDE = {
    "ham10000_28": _rows("sgd", METHODS[:2], SGD),
    "pneumonia": _rows("sgd", METHODS[:2], {**SGD, **HALF}),
}

#: Tables of a few methods at a longer budget: as the recipe has it for adrenal glands, else half of its epochs.
LONGER = {
    "adrenal": _rows("scratch", METHODS, {}),
    "ham10000_64": [
        *_rows("adamw", ("ce", "balanced_softmax", "dbm_bs"), {**ADAMW_64, **SIZE_64, **HALF}),
        *_rows("sgd", METHODS[:2], {**SGD_64, **SIZE_64, **HALF}),
    ],
    "cifar100_lt": [
        *_rows("adamw", METHODS[:2], {**ADAMW, **HALF}),
        *_rows("sgd", METHODS[:2], {**SGD, **HALF}),
    ],
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=[*budgets("published"), *LONGER])
    parser.add_argument("--weights", default="published", help="a file, or 'published' (default)")
    parser.add_argument("--after", metavar="RUN", help="the methods that need more, with this first run")
    arguments = parser.parse_args()
    every = budgets(arguments.weights)
    if arguments.after is None:
        chosen = LONGER.get(arguments.table) or [
            *every[arguments.table].every_method(),
            *BESIDE.get(arguments.table, []),
        ]
    elif arguments.table in every:
        chosen = every[arguments.table].further_methods(arguments.after)
    else:
        parser.error(f"argument --after: not with {arguments.table}, which has a few methods only")
    print(json.dumps(chosen, indent=1))
