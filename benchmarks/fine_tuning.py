"""The rows of a comparison of four ways from published weights to a classifier, for ``medtail compare --variants``.

EfficientNet-lite0 on HAM10000 at 64 pixels: from scratch, a head on frozen features, all weights fine-tuned, and LoRA,
each with four losses; the free rival of every table is cross-entropy with the prior taken out after training. One more
row has twice the epochs from scratch.

    python benchmarks/fine_tuning.py WEIGHTS.safetensors > rows.yaml
    medtail compare ham10000_128 --recipe ham10000_128 --variants rows.yaml --seeds 3 --jobs 2 --out runs/fine_tuning
"""

import argparse
import json
from typing import Any

METHODS = ("ce", "balanced_softmax", "dal", "dbm_bs")

#: What all rows have in common. In bfloat16 this network is slower on CPUs without AMX.
COMMON: dict[str, Any] = {
    "backbone": {"name": "tf_efficientnet_lite0"},
    "optimizer": {"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05, "decay_weights_only": True},
    "schedule": {"name": "cosine", "warmup_epochs": 1, "interval": "step"},
    "training": {"epochs": 8, "batch_size": 64, "precision": "32-true"},
}

#: The ways, with the settings in which each differs.
WAYS: dict[str, dict[str, dict[str, Any]]] = {
    "scratch": {"backbone": {"weights": "none"}},
    "probe": {
        "backbone": {"cached_features": True},
        "augmentation": {"mixup": None},
        "training": {"epochs": 30},
    },
    "full": {"optimizer": {"layer_decay": 0.9, "head_learning_rate": 3e-3}},
    "lora": {"backbone": {"lora": {"rank": 4}}, "optimizer": {"learning_rate": 3e-3}},
    "scratch twice": {"backbone": {"weights": "none"}, "training": {"epochs": 16}},
}

#: Ways that are there to bound another one, with cross-entropy alone.
BOUNDS = {"scratch twice"}


def rows(weights: str) -> list[dict[str, Any]]:
    """Return the rows of a file of variants.

    Args:
        weights: Those that all ways but one start from: a file, or ``published``.
    """
    variants = []
    for way, changes in WAYS.items():
        settings = {
            section: {**COMMON.get(section, {}), **changes.get(section, {})}
            for section in {**COMMON, **changes}
        }
        settings["backbone"] = {"weights": weights, **settings["backbone"]}
        methods = METHODS[:1] if way in BOUNDS else METHODS
        variants += [{"label": f"{way} {method}", "method": method, "set": settings} for method in methods]
    return variants


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", help="a file of weights, or 'published'")
    # YAML holds JSON, without the references that a YAML writer makes of settings that rows share.
    print(json.dumps(rows(parser.parse_args().weights), indent=1))
