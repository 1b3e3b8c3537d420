"""From folders of runs to a classifier."""

from collections.abc import Sequence
from pathlib import Path

from medtail.checks import choice
from medtail.inference.classifier import Classifier
from medtail.inference.combination import chosen_combination
from medtail.inference.members import Folder, check_alike, members_of
from medtail.inference.views import ONE_VIEW, TEST_TIME_AUGMENTATIONS
from medtail.operating_point import OperatingPoint
from medtail.runs.run import Run
from medtail.training.inference.trained_model import TrainedModel


def load(
    run: Folder | Sequence[Folder],
    *,
    combine: str | None = None,
    test_time_augmentation: str | None = None,
) -> Classifier:
    """Load a finished run, or several that predict together.

    Args:
        run: The folder of a run; that of a cross-validation, whose folds predict together; or several of these.
        combine: The mean of several predictions: ``"probabilities"`` (the default) or ``"log-probabilities"``, their
            normalised geometric mean.
        test_time_augmentation: Predict several views of each image and combine them: ``"flips"`` along every axis (4
            views of an image, 8 of a volume), or ``"rotations"`` by multiples of 90° (4 views; slice by slice in
            volumes). None predicts the image as it is.

    Returns:
        A classifier. A single run without test-time augmentation decides by its operating point, if ``adapt`` chose
        one; everything else decides for the most probable class.

    Raises:
        InputError: A run is not finished or damaged, runs differ in classes, channels or dimensions, or a word is
            unknown.

    Example:
        >>> classifier = load("runs/dal")  # doctest: +SKIP
        >>> classifier.predict_files(["new_images/"])  # doctest: +SKIP
    """
    folders = [run] if isinstance(run, str | Path | Run) else run
    classifier = assemble(members_of(folders), combine=combine, test_time_augmentation=test_time_augmentation)
    single = classifier.members[0].run
    if (
        classifier.words
        or classifier.facts.multi_label
        or single is None
        or not single.operating_point.is_file()
    ):
        return classifier
    return classifier.deciding_by(OperatingPoint.of(single))


def assemble(
    runs: Sequence[Run], *, combine: str | None = None, test_time_augmentation: str | None = None
) -> Classifier:
    """Return the classifier of some runs, without any operating point.

    Raises:
        InputError: As :func:`load`.
    """
    if test_time_augmentation is not None:
        choice("`test_time_augmentation`", test_time_augmentation, TEST_TIME_AUGMENTATIONS)
    combination = chosen_combination(combine, len(runs) > 1 or test_time_augmentation is not None)
    facts = check_alike(runs)
    views = (
        ONE_VIEW
        if test_time_augmentation is None
        else TEST_TIME_AUGMENTATIONS[test_time_augmentation](facts.dimensions)
    )
    members = tuple(TrainedModel.load(run) for run in runs)
    return Classifier(members, combination=combination, views=views)
