"""Tables of one paper share their runs, and a row may learn from a training of its own."""

from pathlib import Path
from typing import Any

import pytest

from medtail.errors import InputError
from medtail.experiments.jobs import Job
from medtail.experiments.reproductions import reproduce as reproducing
from medtail.experiments.reproductions.data_sets import known_data_sets
from medtail.experiments.reproductions.definition import BudgetName, read_definition, reproduction_names
from medtail.experiments.reproductions.plan import PlannedPart, Row
from medtail.experiments.reproductions.reproduce import plan, reproduce

EVERY = dict.fromkeys(known_data_sets(), "digits-lt")
#: As far as they stand in for others.
STAND_INS = {
    name: "digits-lt"
    for name in EVERY
    if any(name in known.stand_ins for known in known_data_sets().values())
}


def trainings(part: PlannedPart, row: Row) -> dict[Path, Any]:
    """What is trained into each folder of a row, as far as the folder does not tell."""
    shared = (part.recipe, list(part.changes))
    if row.grid is not None:
        return {part.folder / row.grid: shared}
    own = row.variant
    learns = None if row.teacher is None else row.teacher.variant
    found = {
        run.folder: (*shared, own.method, own.settings, learns, part.folds) for run in part.trainings(own)
    }
    if learns is not None:
        found[part.trainings(learns)[0].folder] = (*shared, learns.method, learns.settings, None, None)
    return found


@pytest.mark.parametrize("data", [EVERY, STAND_INS], ids=["every", "stand-ins"])
@pytest.mark.parametrize("budget", ["quick", "paper"])
@pytest.mark.parametrize("paper", ["dal", "lct", "alpa", "metric-losses", "dbm"])
def test_a_folder_holds_one_training_whichever_table_it_is_for(
    paper: str, budget: BudgetName, data: dict[str, str], tmp_path: Path
) -> None:
    held: dict[Path, tuple[str, Any]] = {}
    for name in reproduction_names():
        definition = read_definition(name)
        if definition.paper != paper or not definition.kind.needs_data:
            continue
        for part in plan(definition, budget, data, tmp_path):
            for row in part.rows:
                if row.not_run is not None:
                    continue
                for folder, content in trainings(part, row).items():
                    first, same = held.setdefault(folder, (name, content))
                    assert content == same, f"{folder} of {first} and {name}"
    assert held


def test_parts_on_the_same_images_share_their_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ham10000 = {"ham10000": "digits-lt"}
    figures = [read_definition(f"dal-figure{number}") for number in (4, 5)]
    (fourth,), (fifth,) = (plan(figure, "quick", ham10000, tmp_path) for figure in figures)
    assert (fourth.title, fifth.title) == ("ISIC 2018", "ISIC 2019") and fourth.folder == fifth.folder
    asked: list[Job] = []
    monkeypatch.setattr(reproducing, "run_jobs", lambda jobs, *_: asked.extend(jobs))
    both = figures[0].model_copy(update={"parts": figures[0].parts | figures[1].parts})
    monkeypatch.setattr(reproducing, "read_definition", lambda name: both)
    with pytest.raises(InputError, match="does not exist"):
        reproduce("dal-figure4", data=ham10000, out=tmp_path / "out")
    assert len(asked) == len({job.run for job in asked}) == 14


def test_folds_are_judged_one_by_one(tmp_path: Path) -> None:
    (part,) = plan(read_definition("alpa-table3"), "paper", EVERY, tmp_path)
    (training,) = part.trainings(part.rows[0].variant)
    assert part.runs(part.rows[0]) == [training.fold(number) for number in range(1, 6)]


@pytest.mark.parametrize("label", ["GML", "DBM-GML"])
def test_a_row_with_a_teacher_waits_for_it(label: str, tmp_path: Path) -> None:
    """Both rows have one teacher, which need not exist when their recipes are checked."""
    definition = read_definition("dbm-table2")
    part = next(
        part for part in plan(definition, "paper", EVERY, tmp_path) if "CIFAR-100-LT, 100" in part.title
    )
    few = [row for row in part.rows if row.label == label]
    small = {"data": {"subsample": {"name": "none"}}}
    short = PlannedPart(part.title, part.given, few, part.folder, 2, part.recipe, [*part.changes, small])
    (teacher,) = definition.kind.teachers(short)
    jobs = definition.kind.jobs(short)
    assert [job.recipe.method.teacher_run for job in jobs] == [str(teacher.run.folder.resolve())] * 2
    assert (teacher.recipe.backbone.name, jobs[0].recipe.backbone.name) == ("resnet56", "resnet32")
    assert not list(tmp_path.iterdir())
