"""Groups of classes with many, a medium number of, and few training images."""

from typing import Any

import numpy as np

from medtail.metrics import Outcomes

#: The bounds of "many" and "few" training images (the convention of long-tailed recognition; DBM's tables).
MANY_ABOVE, FEW_BELOW = 100, 20

#: Each group, and the training images of its classes in words.
GROUPS = {
    "many": f"over {MANY_ABOVE}",
    "medium": f"{FEW_BELOW} to {MANY_ABOVE}",
    "few": f"under {FEW_BELOW}",
}

#: Before their names where the accuracy on a group stands beside metrics over all classes.
GROUP_PREFIX = "group:"

#: From this number on, classes are too many to look at each of them: they are grouped, and their tables fold.
MANY_CLASSES = 20


def frequency_groups(training_counts: np.ndarray) -> dict[str, list[int]]:
    """Class ids with many, a medium number of and few training images; groups without classes are left out.

    Example:
        >>> frequency_groups(np.array([500, 100, 20, 19]))
        {'many': [0], 'medium': [1, 2], 'few': [3]}
    """
    groups = {
        "many": training_counts > MANY_ABOVE,
        "medium": (training_counts >= FEW_BELOW) & (training_counts <= MANY_ABOVE),
        "few": training_counts < FEW_BELOW,
    }
    return {name: np.flatnonzero(member).tolist() for name, member in groups.items() if member.any()}


def rare_classes(training_counts: np.ndarray) -> list[int]:
    """Class ids with less than an equal share of the training images, the rarest first.

    Example:
        >>> rare_classes(np.array([500, 10, 90, 400]))
        [1, 2]
    """
    order = np.argsort(-training_counts, kind="stable")[::-1]
    return [int(index) for index in order if training_counts[index] < training_counts.mean()]


def group_metrics(outcomes: Outcomes, training_counts: np.ndarray) -> dict[str, dict[str, Any]] | None:
    """Return how well many-, medium- and few-shot classes are recognised, as papers on long tails report it.

    Args:
        outcomes: Decisions counted once, ``(1, C)``.
        training_counts: Training images of each class ``(C,)``.

    Returns:
        For each group of :func:`frequency_groups`: the number of ``classes``, ``n`` images, ``accuracy`` (share of
        these images decided correctly) and ``balanced_accuracy`` (mean recall of these classes; the same where classes
        are equally frequent, as in the papers' test sets), None without images. None below 20 classes.
    """
    if len(training_counts) < MANY_CLASSES:
        return None
    groups = {}
    for name, members in frequency_groups(training_counts).items():
        images = int(outcomes.targets[0, members].sum())
        recalls = outcomes.recalls[0, members]
        known = recalls[~np.isnan(recalls)]
        groups[name] = {
            "classes": len(members),
            "n": images,
            "accuracy": float(outcomes.hits[0, members].sum() / images) if images else None,
            "balanced_accuracy": float(known.mean()) if len(known) else None,
        }
    return groups
