"""Reproduce a table or figure: choose the data, check all, train what is missing, put our numbers beside theirs."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

from medtail.errors import InputError
from medtail.experiments.jobs import Job, Workers, run_jobs
from medtail.experiments.reproductions.data_sets import (
    GivenData,
    check_names,
    choose_data,
    known_data_sets,
    missing_data,
)
from medtail.experiments.reproductions.definition import Budget, BudgetName, Definition, Part, read_definition
from medtail.experiments.reproductions.kinds.base import Findings
from medtail.experiments.reproductions.plan import PlannedPart, Row
from medtail.experiments.reproductions.printed import PrintedValue, printed_values
from medtail.experiments.variants import nested
from medtail.progress import Progress
from medtail.training.devices import hardware
from medtail.training.finishing import git_commit

_log = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class ReproducedPart:
    """A part of a table or figure with what it came to.

    Attributes:
        title: As the paper calls it.
        given: The data; None if it needs none, or none were given.
        rows: Labels, in order.
        columns: Names, in order.
        findings: Our numbers and figures.
        printed: The paper's numbers, by row and column.
        left_out: From the label of a row to the reason why it was not run.
        not_run: Why no row was run; empty if they were.
    """

    title: str
    given: GivenData | None
    rows: list[str]
    columns: list[str]
    findings: Findings
    printed: dict[tuple[str, str], PrintedValue]
    left_out: dict[str, str]
    not_run: str = ""


@final
@dataclass(frozen=True)
class Reproduction:
    """A table or figure, reproduced.

    Attributes:
        definition: What was reproduced.
        budget: The name of the budget.
        parts: In the order of the paper.
        seconds: What the trainings took, added up.
        surroundings: Versions, commit and hardware.
    """

    definition: Definition
    budget: BudgetName
    parts: list[ReproducedPart]
    seconds: float
    surroundings: dict[str, Any]

    @property
    def spent(self) -> Budget:
        """The budget."""
        return self.definition.budgets[self.budget]

    @property
    def stand_ins(self) -> list[str]:
        """What stands in for what, and what was not run, one sentence each."""
        sentences = []
        for part in self.parts:
            if part.given is not None and part.given.stands_in_for is not None:
                title = known_data_sets()[part.given.name].title
                sentences.append(f"{part.title}: {title} in the place of {part.given.stands_in_for}.")
            if part.not_run:
                sentences.append(f"{part.title}: not run, {part.not_run}.")
        return sentences


def reproduce(
    name: str,
    *,
    data: Mapping[str, str],
    out: Path,
    budget: BudgetName = "quick",
    runs: Path | None = None,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Reproduce a table or figure of a paper.

    Args:
        name: One of :func:`~medtail.experiments.reproductions.definition.reproduction_names`.
        data: Data sets by the names in ``data_sets.yaml``, as :func:`medtail.data.open_collection` takes them.
        out: Folder for ``reproduction.*``.
        budget: ``quick`` or ``paper``.
        runs: Folder for the runs, which several tables of a paper may share; ``out/runs`` if None.
        workers: Who trains; this process, one run after another, if None.
        progress: Told about the epochs of every training, and about all trainings.

    Raises:
        InputError: A name is unknown, the data are missing, or a recipe cannot be trained; nothing is started then.
    """
    definition = read_definition(name)
    check_names(data)
    check_place(out, name)
    planned = plan(definition, budget, data, out / "runs" if runs is None else runs)
    first = _once(job for part in planned for job in definition.kind.teachers(part))
    rest = _once(job for part in planned for job in definition.kind.jobs(part))
    jobs = [*first, *rest]
    if jobs:
        _log.info(f"{name}: {len(jobs)} trainings, {sum(job.finished for job in jobs)} of them finished")
    run_jobs(first, workers, progress)
    run_jobs(rest, workers, progress)
    found = {part.title: (part, definition.kind.findings(part)) for part in planned}
    parts = [_reproduced(definition, budget, title, found.get(title)) for title in definition.parts]
    return Reproduction(
        definition,
        budget,
        parts,
        seconds=sum(float(job.run.read_environment()["seconds"]) for job in jobs),
        surroundings={"medtail": version("medtail"), "git_commit": git_commit(), "hardware": hardware()},
    )


def _once(jobs: Iterable[Job]) -> list[Job]:
    """Return jobs, each run once: rows share a teacher, and parts on the same images share all their runs."""
    return list({job.run: job for job in jobs}.values())


def check_place(out: Path, name: str) -> None:
    """Refuse a folder that holds the files of another reproduction.

    Raises:
        InputError: It does.
    """
    held = out / "reproduction.md"
    if out.exists() and not out.is_dir():
        raise InputError(f"`out` must be a folder, {out} is a file; choose another place")
    if held.is_file() and not held.read_text(encoding="utf-8").startswith(f"# {name}:"):
        raise InputError(
            f"`out` must be a new folder or one of {name}, {out} holds another reproduction; choose another place"
        )


def plan(
    definition: Definition, budget: BudgetName, data: Mapping[str, str], folder: Path
) -> list[PlannedPart]:
    """Return the parts that are reproduced at a budget with these data.

    Raises:
        InputError: None of the data sets that are needed is there.
    """
    spent = definition.budgets[budget]
    wanted = {
        title: part for title, part in definition.parts.items() if spent.parts is None or title in spent.parts
    }
    if not definition.kind.needs_data:
        return [_planned(definition, budget, title, part, None, folder) for title, part in wanted.items()]
    given = {title: choose_data(str(part.data), data) for title, part in wanted.items()}
    if not any(given.values()):
        raise missing_data(definition.name, [str(part.data) for part in wanted.values()])
    return [
        _planned(definition, budget, title, part, given[title], folder)
        for title, part in wanted.items()
        if given[title] is not None
    ]


def _planned(
    definition: Definition, budget: BudgetName, title: str, part: Part, given: GivenData | None, folder: Path
) -> PlannedPart:
    spent = definition.budgets[budget]
    recipe = (part.recipe or spent.recipe) if budget == "paper" else spent.recipe
    rows = [row for row in definition.rows if spent.rows is None or row.label in spent.rows]
    stands_in = given is not None and given.stands_in_for is not None
    own = part.stand_in_set.get(given.name, {}) if given is not None and stands_in else part.set
    changes = [nested(spent.set), nested(own)]
    # Named by the data: parts for which the same images stand in share their runs.
    name = title.replace(" ", "_").replace(",", "") if given is None else given.name
    place = folder / f"{name}-{_digest(recipe, changes, spent.folds)}"
    return PlannedPart(
        title, given, rows, place, spent.seeds, recipe, changes, spent.grid_points, spent.folds
    )


def _digest(*settings: object) -> str:
    """A few letters that tell settings apart: tables of one paper share the runs that they train alike."""
    return sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:6]


def _reproduced(
    definition: Definition, budget: BudgetName, title: str, found: tuple[PlannedPart, Findings] | None
) -> ReproducedPart:
    spent = definition.budgets[budget]
    printed = {
        (row, column): value
        for (part, row, column), value in printed_values(definition.paper, definition.item).items()
        if part == title
    }
    columns = list(dict.fromkeys([*definition.kind.columns_of(title), *(column for _, column in printed)]))
    left_out = {row.label: _why_not(row, spent) for row in definition.rows}
    left_out = {label: why for label, why in left_out.items() if why}
    part, findings = (None, Findings()) if found is None else found
    labels = [definition.kind.label_of(row) for row in definition.rows]
    known = [row for row, _ in [*printed, *findings.cells]]
    rows = list(dict.fromkeys([*(label for label in labels if label in known), *known]))
    not_run = ""
    if found is None:
        in_budget = spent.parts is None or title in spent.parts
        wanted = definition.parts[title].data
        not_run = f"no data were given as {wanted}" if in_budget else f"left out of the {budget} budget"
    return ReproducedPart(
        title, None if part is None else part.given, rows, columns, findings, printed, left_out, not_run
    )


def _why_not(row: Row, budget: Budget) -> str:
    if row.not_run is not None:
        return row.not_run
    return "" if budget.rows is None or row.label in budget.rows else "left out of this budget"
