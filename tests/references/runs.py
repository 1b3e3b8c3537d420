"""Finished runs as training leaves them, without the training."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from medtail.evaluation.summaries.summary import summarize
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run


def make_predictions(
    class_names: Sequence[str],
    counts: Sequence[int],
    *,
    skill: float = 2.0,
    seed: int = 0,
    images_per_group: int | None = 1,
    data_seed: int = 0,
) -> Predictions:
    """Softmax probabilities of a model that prefers frequent classes; ids and targets depend on data_seed alone."""
    targets = np.repeat(np.arange(len(counts)), counts)
    targets = np.random.default_rng(data_seed).permutation(targets)
    generator = np.random.default_rng([seed, 1])
    logits = generator.normal(size=(len(targets), len(counts)))
    logits[np.arange(len(targets)), targets] += skill
    logits += 0.4 * np.log(np.maximum(counts, 1))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    groups = None
    if images_per_group is not None:
        groups = np.array([f"lesion {index // images_per_group:05d}" for index in range(len(targets))])
    return Predictions(
        ids=np.array([f"ISIC_{index:07d}" for index in range(len(targets))]),
        targets=targets,
        probabilities=exponentials / exponentials.sum(axis=1, keepdims=True),
        class_names=tuple(class_names),
        groups=groups,
    )


def make_run(
    folder: Path,
    *,
    class_names: Sequence[str] = ("akiec", "bcc", "df", "nv"),
    train: Sequence[int] = (60, 90, 12, 700),
    test: Sequence[int] = (18, 26, 8, 120),
    method: str = "dal",
    seed: int = 0,
    skill: float = 2.0,
    images_per_group: int | None = 1,
    data_seed: int = 0,
    epochs: int = 12,
    resamples: int = 40,
    unreadable: Sequence[dict[str, str]] = (),
    settings: dict[str, dict[str, object]] | None = None,
) -> Run:
    """Write every file that training writes but the checkpoints and the report."""
    run = Run(folder)
    validation = [max(1, count // 2) if count else 0 for count in test]
    predictions = {
        "validation": make_predictions(
            class_names,
            validation,
            skill=skill + 0.1,
            seed=seed + 100,
            images_per_group=images_per_group,
            data_seed=data_seed,
        ),
        "test": make_predictions(
            class_names, test, skill=skill, seed=seed, images_per_group=images_per_group, data_seed=data_seed
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for split, table in predictions.items():
        table.write(run.predictions(split))
    facts = {
        "name": "ham10000",
        "data": "images/ham10000",
        "class_names": list(class_names),
        "class_counts": {"train": list(train), "validation": validation, "test": list(test)},
        "group_column": None if images_per_group is None else "lesion_id",
        "image_size": 28,
        "channels": 3,
        "mean": [0.76, 0.54, 0.56],
        "standard_deviation": [0.14, 0.15, 0.17],
        "unreadable": list(unreadable),
        "fingerprint": hashlib.sha256(repr((class_names, train, test, data_seed)).encode()).hexdigest(),
    }
    run.dataset.write_text(json.dumps(facts))
    recipe = {
        "recipe": {"dataset": "ham10000_28", "method": method},
        "data": {
            "image_size": 28,
            "channels": 3,
            "validation_fraction": 0.15,
            "test_fraction": 0.15,
            "split_seed": 0,
        },
        "augmentation": {"horizontal_flip": 0.5, "vertical_flip": 0.5},
        "sampling": {"name": "uniform"},
        "backbone": {"name": "resnet8", "pretrained": False, "frozen_epochs": 0},
        "head": {"name": "embedding", "dropout": 0.5},
        "method": {"name": "supervised"},
        "loss": {"name": method},
        "optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
        "schedule": {"name": "cosine", "warmup_epochs": 1},
        "training": {"epochs": epochs, "batch_size": 128, "seed": seed, "precision": "32-true"},
    }
    for section, values in (settings or {}).items():
        recipe[section] = {**recipe[section], **values}
    run.recipe.write_text(yaml.safe_dump(recipe, sort_keys=False))
    run.environment.write_text(
        json.dumps(
            {
                "medtail": "0.1.0", "python": "3.11.7", "torch": "2.15.0", "torchvision": "0.29.2", "timm": "1.0.12",
                "device": "cpu", "hardware": "2 CPU cores", "started": "2026-11-21T02:47:24+00:00", "seconds": 83.4,
                "git_commit": "9eeba830a3f0c2de51e6e6e5bd0d8f5ad0a1f9b1",
            }
        )
    )  # fmt: skip
    _write_epochs(run, class_names, validation, epochs, seed)
    run.summary.write_text(json.dumps(summarize(predictions["test"], "test", resamples=resamples)))
    return run


def _write_epochs(
    run: Run, class_names: Sequence[str], validation: Sequence[int], epochs: int, seed: int
) -> None:
    generator = np.random.default_rng([seed, 2])
    epoch = np.arange(1, epochs + 1)
    rise = 1 - np.exp(-epoch / (epochs / 3))
    columns = {
        "epoch": epoch,
        "learning_rate": 0.1 * np.cos(np.pi / 2 * (epoch - 1) / epochs),
        "train_loss": 1.9 - 1.4 * rise + generator.normal(0, 0.02, epochs),
        "validation_loss": 1.9 - 1.1 * rise + 0.15 * rise**4 + generator.normal(0, 0.04, epochs),
        "validation_balanced_accuracy": 0.14 + 0.55 * rise + generator.normal(0, 0.02, epochs),
        "validation_auc": 0.6 + 0.3 * rise**2 + generator.normal(0, 0.004, epochs),
        "validation_accuracy": 0.5 + 0.3 * rise + generator.normal(0, 0.01, epochs),
        "validation_macro_f1": 0.12 + 0.5 * rise + generator.normal(0, 0.02, epochs),
    }
    for name in class_names:
        level = generator.uniform(0.4, 0.9)
        columns[f"validation_recall_{name}"] = (level * rise + generator.normal(0, 0.04, epochs)).clip(0, 1)
    for name, count in zip(class_names, validation, strict=True):
        if not count:
            columns[f"validation_recall_{name}"] = np.full(epochs, np.nan)
    pd.DataFrame(columns).to_csv(run.metrics, index=False)
