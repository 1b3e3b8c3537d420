"""What the page needs to know of a run: its saved predictions, and the prior that they stand for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medtail import __version__
from medtail.adaptation.run_predictions import RunPredictions, require_validation
from medtail.operating_point.point import FORMAT
from medtail.runs.images.attributes import read_attributes
from medtail.runs.run import EVALUATED_SPLITS, EvaluatedSplit, Run
from medtail.runs.stored_files import read_csv
from medtail.serving.explorer.packing import packed

#: Probabilities of one run on the page; of a grid of λ with more, evenly spread ones are kept. About 130 MB.
MOST_PROBABILITIES = 12_000_000


def run_contents(run: Run) -> dict[str, Any]:
    """Return a run in plain values.

    Raises:
        InputError: It is not finished, is multi-label, or has no validation split.
    """
    outputs = RunPredictions(run)
    require_validation(run)
    conditions = _conditions(outputs)
    return {
        "name": run.folder.resolve().name,
        "method": outputs.recipe.recipe.method,
        "data": outputs.facts.name,
        "medtail": __version__,
        "format": FORMAT,
        "classNames": list(outputs.class_names),
        "positive": outputs.positive,
        "groupColumn": outputs.facts.group_column,
        "conditions": [None if condition is None else dict(condition) for condition in conditions],
        "sources": [outputs.score_prior(condition).tolist() for condition in conditions],
        "splits": {split: _split(outputs, split, conditions) for split in EVALUATED_SPLITS},
    }


def _conditions(outputs: RunPredictions) -> list[Mapping[str, float] | None]:
    """λ of the saved predictions first, then those of the run's grid; None alone where there is no λ."""
    own = outputs.condition
    if own is None:
        return [None]
    table = read_csv(outputs.run.require(outputs.run.conditions), texts=("split",), numbers=tuple(own))
    grid = table.loc[table["split"] == "validation", list(own)].astype(float).to_dict("records")
    others = [{str(name): value for name, value in row.items()} for row in grid if row != own]
    size = sum(len(outputs.predictions(split).ids) for split in EVALUATED_SPLITS) * len(outputs.class_names)
    room = max(0, MOST_PROBABILITIES // size - 1)
    if len(others) > room:
        others = [others[place] for place in np.linspace(0, len(others) - 1, room).astype(int)]
    return [own, *others]


def _split(
    outputs: RunPredictions, split: EvaluatedSplit, conditions: list[Mapping[str, float] | None]
) -> dict[str, Any]:
    first = outputs.predictions(split)
    return {
        "ids": first.ids.tolist(),
        "targets": packed(first.targets),
        "probabilities": [
            packed(outputs.predictions(split, condition).probabilities.T) for condition in conditions
        ],
        "groups": first.num_groups,
        "attributes": _attributes(read_attributes(outputs.run, first.ids)),
    }


def _attributes(table: pd.DataFrame) -> dict[str, Any]:
    coded = {}
    for name in table.columns:
        codes, values = pd.factorize(table[name].replace("", "(unknown)"), sort=True)
        coded[str(name)] = {"values": [str(value) for value in values], "codes": packed(codes)}
    return coded
