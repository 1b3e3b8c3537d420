"""Reasons not to trust a choice made on validation: the split is unlike the test split, or it is small."""

import numpy as np

from medtail.runs.facts import DatasetFacts

#: With fewer validation images of a class than this, a metric of that class is mostly luck.
ENOUGH_IMAGES = 20

#: From this ratio on, the shares of a class in two splits count as different.
DIFFERENT_SHARES = 1.5


def validation_doubts(facts: DatasetFacts) -> list[str]:
    """Say, in one sentence each, why a choice made on validation may not suit test; nothing where all is well.

    Args:
        facts: A run's ``dataset.json``.

    Returns:
        With two classes, sentences about the positive one; with more, about the class that is worst off.
    """
    names = facts.class_names
    validation, test = (facts.counts(split).astype(np.float64) for split in ("validation", "test"))
    judged = [facts.positive_id] if len(names) == 2 else list(range(len(names)))
    judged = [index for index in judged if test[index] > 0]
    if not judged or not validation.sum():
        return []
    sentences = []
    rarest = min(judged, key=lambda index: validation[index])
    if validation[rarest] < ENOUGH_IMAGES:
        sentences.append(
            f"validation holds {validation[rarest]:.0f} images of {names[rarest]}: what is chosen by so few is "
            f"partly luck"
        )
    shares = validation / validation.sum(), test / test.sum()
    # One image more, so that a class without images has a ratio too.
    ratio = np.abs(np.log((validation + 1) / (validation.sum() + 1) / ((test + 1) / (test.sum() + 1))))
    farthest = max(judged, key=lambda index: ratio[index])
    if ratio[farthest] > np.log(DIFFERENT_SHARES):
        sentences.append(
            f"{names[farthest]} is {100 * shares[0][farthest]:.1f} % of the validation and "
            f"{100 * shares[1][farthest]:.1f} % of the test images: average precision, Brier score, F1 and precision "
            f"depend on that share, AUC and balanced accuracy do not, so that for the former validation chooses what "
            f"suits its own share"
        )
    return sentences
