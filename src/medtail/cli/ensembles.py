"""Several runs, or several views of each image, on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medtail.errors import InputError

if TYPE_CHECKING:
    from medtail.data import TableColumns
    from medtail.inference.judging import JudgedTogether
    from medtail.operating_point import OperatingPoint
    from medtail.runs.run import EvaluatedSplit, Run


def asked_point(
    runs: Sequence["Run"],
    operating_point: bool,
    operating_point_file: Path | None,
    test_time_augmentation: str | None,
) -> "OperatingPoint | None":
    """Return the operating point of the file or, if that is asked for, of the only run; None for neither."""
    from medtail.operating_point import OperatingPoint
    from medtail.runs.facts import DatasetFacts

    if operating_point and operating_point_file is not None:
        raise InputError(
            "--operating-point takes the file of the run, got --operating-point-file too; give one of them"
        )
    if operating_point_file is not None:
        return OperatingPoint.read(operating_point_file, tuple(DatasetFacts.load(runs[0]).class_names))
    if operating_point and (len(runs) > 1 or test_time_augmentation is not None):
        raise InputError(
            "--operating-point is for the probabilities of one run without --test-time-augmentation; choose one for "
            "several runs or views with medtail adapt and --out, and give it as --operating-point-file"
        )
    return OperatingPoint.of(runs[0]) if operating_point else None


def judged_together(
    runs: Sequence["Run"],
    data: str | None,
    split: "EvaluatedSplit",
    *,
    combine: str | None,
    test_time_augmentation: str | None,
    columns: "TableColumns",
    skip_unreadable: bool,
) -> "JudgedTogether":
    """Return what several runs or views say of labelled images; saved predictions are read where they suffice."""
    from medtail.cli.progress import progress_bar
    from medtail.inference.combination import chosen_combination
    from medtail.inference.judging import judge_other, judge_own, judge_saved

    if data is None and columns.given():
        raise InputError(
            f"`{next(iter(columns.given()))}` names a column of other data, but the runs are judged on their own; "
            f"name other data with `data`, or leave it out"
        )
    if data is None and test_time_augmentation is None:
        return judge_saved(runs, split, chosen_combination(combine, several=True))
    # Imported here, because saved predictions need no network.
    from medtail.inference.loading import assemble

    classifier = assemble(runs, combine=combine, test_time_augmentation=test_time_augmentation)
    with progress_bar() as progress:
        if data is None:
            return judge_own(classifier, runs, split, progress)
        return judge_other(
            classifier, runs, data, split, columns=columns, skip_unreadable=skip_unreadable, progress=progress
        )
