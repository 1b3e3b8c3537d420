"""Predictions of multi-label images that exist only on paper."""

from dataclasses import replace

import numpy as np

from medtail.runs import MultiLabelPredictions


def draw(
    size: int = 120, names: tuple[str, ...] = ("edema", "effusion", "mass"), seed: int = 0, per_group: int = 1
) -> MultiLabelPredictions:
    generator = np.random.default_rng(seed)
    targets = (generator.random((size, len(names))) < np.linspace(0.6, 0.15, len(names))).astype(np.int64)
    scores = 2.0 * targets - 1.0 + generator.normal(size=targets.shape)
    return MultiLabelPredictions(
        ids=np.array([f"image {row}" for row in range(size)]),
        targets=targets,
        probabilities=1 / (1 + np.exp(-scores)),
        class_names=names,
        groups=np.array([f"p{row // per_group}" for row in range(size)]) if per_group > 1 else None,
    )


def changed(predictions: MultiLabelPredictions, **fields: object) -> MultiLabelPredictions:
    return replace(predictions, **fields)
