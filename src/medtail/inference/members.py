"""The runs that predict together, read without PyTorch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from medtail.errors import InputError
from medtail.inference.combination import Combination
from medtail.naming import listing
from medtail.operating_point import OperatingPoint
from medtail.recipes.compose import load_recipe
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run

Folder: TypeAlias = str | Path | Run


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


def check_alike(runs: Sequence[Run], prepared_by: Sequence[str] = ()) -> DatasetFacts:
    """Return the facts of the first run, after refusing others whose probabilities cannot be combined with its own.

    Args:
        runs: Finished runs, at least one.
        prepared_by: Settings of ``data`` that must be the same too, where one set of pixels is for all runs.

    Raises:
        InputError: Classes, their order, channels, dimensions, sequences, masks or one of the settings differ.
    """
    facts = DatasetFacts.load(runs[0])
    first = _form(runs[0], prepared_by)
    for run in runs[1:]:
        for name, value in _form(run, prepared_by).items():
            if value != first[name]:
                raise InputError(
                    f"runs that predict together must have the same {name}, but {runs[0].folder} has {first[name]} "
                    f"and {run.folder} has {value}; leave one of them out"
                )
    return facts


def _form(run: Run, prepared_by: Sequence[str]) -> dict[str, str]:
    facts, data = DatasetFacts.load(run), load_recipe(run.require(run.recipe)).data
    return {
        "task": "several labels per image" if facts.multi_label else "one class per image",
        "classes in the same order": ", ".join(facts.class_names),
        "number of channels": str(facts.channels),
        "number of dimensions": str(facts.dimensions),
        "sequences": ", ".join(facts.sequences or ["none"]),
        "column of masks": str(data.columns.mask_column),
        **{f"data.{name}": str(getattr(data, name)) for name in prepared_by},
    }


def combined_words(runs: Sequence[Run], combination: Combination, views: int = 1) -> str:
    """Return what was combined, in a sentence.

    Example:
        >>> from medtail.inference.combination import MeanProbability
        >>> combined_words([Run(Path("a")), Run(Path("b"))], MeanProbability())
        'Probabilities are the mean over 2 runs (a, b).'
    """
    names = listing((str(run.folder) for run in runs), most=5)
    seen = f"{views} views of each image"
    if len(runs) == 1:
        return f"Probabilities are the {combination.words} over {seen} by run {names}."
    over = f"{len(runs)} runs ({names})"
    return f"Probabilities are the {combination.words} over {over}{'' if views == 1 else f' and {seen}'}."


def combination_facts(
    runs: Sequence[Run], combination: Combination, views: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what tells combined probabilities from others, in plain values: an operating point is for these alone.

    Args:
        runs: Those that predict together.
        combination: How.
        views: Of each image, in words; none for the image as it is.
    """
    identities = [DatasetFacts.load(run).identity for run in runs]
    return {"members": sorted(map(str, identities)), "mean": combination.words, "views": list(views)}


def check_chosen_for(point: OperatingPoint, combined: Mapping[str, Any] | None) -> None:
    """Refuse an operating point that was chosen for other probabilities.

    Args:
        point: The operating point.
        combined: What it is to decide on, from :func:`combination_facts`; None for one run, seen once.

    Raises:
        InputError: It was chosen for one run, for other runs together, for another mean or for other views.
    """
    if point.goal.get("combined") != combined:
        raise InputError(
            f"the operating point must be chosen for the probabilities that it decides on, but this one, of "
            f"{point.run or 'unknown runs'}, was chosen for other runs, another mean or other views; choose it with "
            f"`adapt()` for the same ones"
        )
