"""All trainings of one network in a comparison have one precision."""

import json
from pathlib import Path

from medtail.experiments.jobs import Job
from medtail.experiments.jobs.one_precision import in_one_precision
from medtail.recipes.compose import compose
from medtail.recipes.schema import Recipe
from medtail.runs.run import Run


class Machine:
    """Decides otherwise each time."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, recipe: Recipe) -> str:
        self.asked.append(recipe.backbone.name)
        return ("bf16-mixed", "32-true")[len(self.asked) % 2]


def job(
    folder: Path, title: str, method: str = "ce", precision: str = "auto", network: str = "resnet8"
) -> Job:
    changes = {"training": {"precision": precision}, "backbone": {"name": network}}
    return Job(title, "digits-lt", compose("digits-lt", method, changes), Run(folder / title))


def precision(one: Job) -> str:
    return one.recipe.training.precision


def test_a_machine_is_asked_once_for_each_network(tmp_path: Path) -> None:
    machine = Machine()
    jobs = [job(tmp_path, "a"), job(tmp_path, "b", "dal"), job(tmp_path, "c", network="resnet20")]
    assert [precision(one) for one in in_one_precision(jobs, machine)] == ["32-true", "32-true", "bf16-mixed"]
    assert machine.asked == ["resnet8", "resnet20"]


def test_what_is_named_stays(tmp_path: Path) -> None:
    machine = Machine()
    (one,) = in_one_precision([job(tmp_path, "a", precision="bf16-mixed")], machine)
    assert (precision(one), machine.asked) == ("bf16-mixed", [])


def test_runs_that_are_begun_decide_for_the_others(tmp_path: Path) -> None:
    machine = Machine()
    begun, missing = job(tmp_path, "begun"), job(tmp_path, "missing")
    begun.run.folder.mkdir()
    saved = compose("digits-lt", "ce", {"training": {"precision": "16-mixed"}})
    begun.run.recipe.write_text(json.dumps(saved.model_dump(mode="json")))
    done = list(in_one_precision([begun, missing], machine, [begun, missing]))
    assert [precision(one) for one in done] == ["auto", "16-mixed"]
    assert machine.asked == []
