"""From folders of runs to a classifier."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from medtail.checks import choice
from medtail.errors import InputError
from medtail.inference.classifier import Classifier
from medtail.inference.combination import COMBINATIONS
from medtail.inference.views import ONE_VIEW, TEST_TIME_AUGMENTATIONS
from medtail.operating_point import OperatingPoint
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.training.inference.trained_model import TrainedModel

Folder: TypeAlias = str | Path | Run


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


def members_of(folders: Sequence[Folder]) -> list[Run]:
    """Return the runs in some folders: a run itself, or the folds of a cross-validation.

    Raises:
        InputError: There is none, or one is given twice.
    """
    runs = []
    for folder in folders:
        run = folder if isinstance(folder, Run) else Run(Path(folder))
        crossed = run.folds_facts.is_file()
        runs += [run.fold(number) for number in range(1, run.read_folds()["folds"] + 1)] if crossed else [run]
    if not runs:
        raise InputError("`run` must be at least one finished run, got none; name its folder")
    places = [run.folder.resolve() for run in runs]
    for run, place in zip(runs, places, strict=True):
        if places.count(place) > 1:
            raise InputError(
                f"runs must differ from each other, but {run.folder} is given twice; name it once"
            )
    return runs


def assemble(
    runs: Sequence[Run], *, combine: str | None = None, test_time_augmentation: str | None = None
) -> Classifier:
    """Return the classifier of some runs, without any operating point.

    Raises:
        InputError: As :func:`load`.
    """
    combination = COMBINATIONS[choice("`combine`", combine or "probabilities", COMBINATIONS)]
    if test_time_augmentation is not None:
        choice("`test_time_augmentation`", test_time_augmentation, TEST_TIME_AUGMENTATIONS)
    if combine is not None and len(runs) == 1 and test_time_augmentation is None:
        raise InputError(
            f"`combine={combine}` says how several runs or views are combined, got one run; give more runs, or "
            f"`test_time_augmentation`"
        )
    facts = check_alike(runs)
    views = (
        ONE_VIEW
        if test_time_augmentation is None
        else TEST_TIME_AUGMENTATIONS[test_time_augmentation](facts.dimensions)
    )
    members = tuple(TrainedModel.load(run) for run in runs)
    return Classifier(members, combination=combination, views=views)


def check_alike(runs: Sequence[Run]) -> DatasetFacts:
    """Return the facts of the first run, after refusing others whose probabilities cannot be combined with its own.

    Raises:
        InputError: Classes, their order, channels, dimensions or sequences differ.
    """
    facts = [DatasetFacts.load(run) for run in runs]
    first = _form(facts[0])
    for run, own in zip(runs[1:], facts[1:], strict=True):
        for name, value in _form(own).items():
            if value != first[name]:
                raise InputError(
                    f"runs that predict together must have the same {name}, but {runs[0].folder} has {first[name]} "
                    f"and {run.folder} has {value}; leave one of them out"
                )
    return facts[0]


def _form(facts: DatasetFacts) -> dict[str, str]:
    return {
        "task": "several labels per image" if facts.multi_label else "one class per image",
        "classes in the same order": ", ".join(facts.class_names),
        "number of channels": str(facts.channels),
        "number of dimensions": str(facts.dimensions),
        "sequences": ", ".join(facts.sequences or ["none"]),
    }
