"""What speaks against choosing by a validation split: that it is not like the test split, or that it is small."""

import numpy as np

from medtail.runs.facts import DatasetFacts

#: Validation images of a class, below which a metric of that class is mostly luck.
FEW_IMAGES = 20

#: From here on, the shares of a class in two splits are different ones.
DIFFERENT_SHARES = 1.5


def validation_doubts(facts: DatasetFacts) -> list[str]:
    """Say, one sentence each, why what validation chooses may not be what test needs; nothing where all is well.

    Args:
        facts: A run's ``dataset.json``.

    Returns:
        Of two classes, about the one that is looked for; of several, about the class it is worst for.
    """
    names = facts.class_names
    validation, test = (facts.counts(split).astype(np.float64) for split in ("validation", "test"))
    judged = [facts.positive_id] if len(names) == 2 else list(range(len(names)))
    judged = [index for index in judged if test[index] > 0]
    if not judged or not validation.sum():
        return []
    sentences = []
    rarest = min(judged, key=lambda index: validation[index])
    if validation[rarest] < FEW_IMAGES:
        sentences.append(
            f"validation holds {validation[rarest]:.0f} images of {names[rarest]}: what is chosen by so few is "
            f"partly luck"
        )
    shares = validation / validation.sum(), test / test.sum()
    # An image more, so that a class without any has a ratio too.
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
