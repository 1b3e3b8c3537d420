"""A search proposes, remembers and never looks at test images; most trials here are imagined."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip("optuna", reason="needs the extra tune")

from medtail.errors import InputError
from medtail.evaluation.tuning.search_page import SearchResult, TrialResult, search_page
from medtail.experiments.jobs import Job, Workers
from medtail.experiments.jobs.outcome import Outcome
from medtail.experiments.jobs.watch import Watch
from medtail.experiments.search import Search
from medtail.experiments.search.space import Space, read_space, space_of
from medtail.metrics import METRICS
from medtail.recipes.compose import load_recipe, recipe_names
from medtail.runs.run import Run
from medtail.training.inference.trained_model import TrainedModel

SPACE = space_of("focal")


class Imagined(Workers):
    """Trials whose balanced accuracy falls with γ, without training; the process dies after some."""

    def __init__(self, dies_after: int = 1000, fails_above: float = 100.0) -> None:
        self.left = dies_after
        self.fails_above = fails_above
        self.trained: list[str] = []

    def run(self, jobs: Iterator[Job], watch: Watch) -> None:
        for job in jobs:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            watch.started(job)
            self.trained.append(job.title)
            gamma = job.recipe.loss.settings["gamma"]
            if gamma > self.fails_above:
                watch.ended(job, Outcome("training diverged"))
                continue
            values = dict.fromkeys(METRICS, 0.5) | {"balanced_accuracy": 1 - gamma / 10}
            job.run.folder.mkdir(parents=True)
            job.run.summary.write_text(
                json.dumps({"split": "validation", "n": 1, "classes": [], "intervals": {}, **values})
            )
            watch.ended(job, Outcome())


def search(folder: Path, **options: object) -> Search:
    changes = [{"training": {"epochs": 1}}]
    return Search("digits-lt", "focal", folder, SPACE, changes=changes, **options)  # type: ignore[arg-type]


def found(result: SearchResult) -> list[tuple[int, dict[str, object], float | None]]:
    return [(trial.number, dict(trial.settings), trial.value) for trial in result.trials]


def test_an_interrupted_search_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole").run(6, Imagined())
    first, second, third = Imagined(dies_after=2), Imagined(), Imagined()
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "broken").run(6, first)
    result = search(tmp_path / "broken").run(6, second)
    assert found(result) == found(whole)
    assert [*first.trained, *second.trained] == [f"trial {number}" for number in range(6)]
    assert found(search(tmp_path / "broken").run(6, third)) == found(whole)
    assert third.trained == []
    assert len(search(tmp_path / "broken").run(8, third).trials) == 8
    assert third.trained == ["trial 6", "trial 7"]


def test_settings_are_drawn_from_the_space(tmp_path: Path) -> None:
    result = search(tmp_path).run(12, Imagined())
    assert {path for trial in result.trials for path in trial.settings} == set(SPACE.axes)
    assert all(0 <= trial.settings["loss.gamma"] <= 5 for trial in result.trials)
    assert len({trial.settings["loss.gamma"] for trial in result.trials}) == 12
    other = search(tmp_path / "other", seed=1).run(2, Imagined())
    assert other.trials[0].settings != result.trials[0].settings
    assert sum(result.importances.values()) == pytest.approx(1)
    assert result.importances["loss.gamma"] > result.importances["optimizer.learning_rate"]


def test_tpe_goes_where_it_was_good(tmp_path: Path) -> None:
    result = search(tmp_path, sampler="tpe").run(30, Imagined())
    gammas = [trial.settings["loss.gamma"] for trial in result.trials]
    assert sum(gammas[20:]) / 10 < sum(gammas[:10]) / 10


def test_the_best_recipe_is_one_to_train(tmp_path: Path) -> None:
    result = search(tmp_path).run(5, Imagined())
    recipe = load_recipe(tmp_path / "best.yaml")
    assert result.best.reached == max(trial.reached for trial in result.finished)
    assert recipe.loss.settings["gamma"] == result.best.settings["loss.gamma"]
    assert recipe.optimizer.learning_rate == result.best.settings["optimizer.learning_rate"]
    page = (tmp_path / "tuning.html").read_text()
    assert page.count("<svg") == 3
    assert f"trial {result.best.number}; 5 have a value" in page


def test_a_trial_that_fails_counts_and_is_shown(tmp_path: Path) -> None:
    result = search(tmp_path).run(6, Imagined(fails_above=2.5))
    failed = [trial for trial in result.trials if trial.value is None]
    assert 0 < len(failed) < 6 and len(result.finished) == 6 - len(failed)
    assert all(trial.failure == "training diverged" for trial in failed)
    assert "training diverged" in (tmp_path / "tuning.html").read_text()
    again = Imagined()
    search(tmp_path).run(6, again)
    assert again.trained == []


def test_where_every_trial_fails_the_reason_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all 2 trials failed, the first because training diverged"):
        search(tmp_path).run(2, Imagined(fails_above=-1))
    assert not (tmp_path / "best.yaml").exists()


def test_a_page_shows_choices_by_name(tmp_path: Path) -> None:
    trials = [
        TrialResult(number, {"head.name": name}, value)
        for number, (name, value) in enumerate([("linear", 0.5), ("cosine", 0.7)])
    ]
    page = search_page(SearchResult("digits", "ce", "balanced_accuracy", "random", trials, {}))
    assert ">cosine<" in page and "needs more trials" in page


def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    def refused(match: str, **options: object) -> None:
        with pytest.raises(InputError, match=match):
            search(tmp_path / "out", **options).run(2, Imagined())
        assert not (tmp_path / "out").exists()

    refused("`sampler` must be random or tpe, got 'grid'", sampler="grid")
    refused("`storage` must be a database that answers", storage="nonsense://user:secret@nowhere/x")
    with pytest.raises(InputError) as refusal:
        search(tmp_path / "out", storage="nonsense://user:secret@nowhere/x").run(2, Imagined())
    assert "secret" not in str(refusal.value)
    with pytest.raises(InputError, match="`trials` must be 1 or more"):
        search(tmp_path / "out").run(0, Imagined())
    wrong = Search("digits-lt", "focal", tmp_path / "out", SPACE, changes=[{"data": {"validation": "none"}}])
    with pytest.raises(InputError, match=r"data\.validation must be drawn for a search, got none"):
        wrong.run(2, Imagined())
    unknown = Search("digits-lt", "focal", tmp_path / "out", Space({"loss.gama": SPACE.axes["loss.gamma"]}))
    with pytest.raises(InputError, match="did you mean gamma"):
        unknown.run(2, Imagined())
    assert not (tmp_path / "out").exists()


def test_another_search_does_not_continue_this_one(tmp_path: Path) -> None:
    search(tmp_path).run(2, Imagined())
    before = (tmp_path / "tuning.html").read_bytes()
    other = Search("digits-lt", "focal", tmp_path, SPACE, changes=[{"training": {"epochs": 2}}])
    with pytest.raises(InputError, match=r"has other settings \(recipe\)"):
        other.run(3, Imagined())
    assert (tmp_path / "tuning.html").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("loss.gamma: {low: 2, high: 1}", "loss.gamma: low must be below high, got 2 and 1"),
        ("loss.gamma: {low: 0, high: 1, log: true}", "log needs low above 0"),
        ("loss.gamma: [1]", "loss.gamma: "),
        ("training.seed: [1, 2]", "must leave training.seed alone"),
        ("data.image_size: [16, 28]", "must leave data.image_size alone"),
        ("{}", "must hold settings by their paths"),
        ("- 1", "must hold settings by their paths"),
    ],
)
def test_a_wrong_space_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"space file .*space\.yaml must") as refusal:
        read_space(path)
    assert said in str(refusal.value)


@pytest.mark.parametrize("name", recipe_names("spaces"))
def test_the_spaces_that_come_with_medtail_fit_their_methods(name: str, tmp_path: Path) -> None:
    method = "ce" if name == "optimizer" else name
    checked: list[str] = []

    class Checking(Imagined):
        def check(self, job: Job) -> None:
            checked.append(job.title)

    with pytest.raises(KeyboardInterrupt):
        Search("digits-lt", method, tmp_path / "out", space_of(method)).run(1, Checking(dies_after=0))
    assert len(checked) == 2, "both ends of the space build a method"


def test_the_space_of_alpa_is_that_of_the_paper() -> None:
    axes = space_of("alpa").axes
    assert {path: axis.ends for path, axis in axes.items()} == {
        "loss.alpha": (0.5, 2.0),
        "loss.beta": (0.5, 2.0),
        "loss.gamma_positive": (0.0, 5.0),
        "loss.gamma_negative": (0.0, 5.0),
    }
    assert space_of("ce").axes == space_of("sphereface").axes


def test_no_test_image_reaches_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    features = TrainedModel.features

    def watched(self: TrainedModel, pixels: object, rows: list[int], progress: object = None) -> object:
        seen.update(int(row) for row in rows)
        return features(self, pixels, rows, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainedModel, "features", watched)
    result = search(tmp_path).run(1)
    run = Run(tmp_path / "trials" / "0000")
    splits = run.read_splits()["split"]
    assert seen == set(splits.index[splits == "validation"])
    assert not run.predictions("test").exists() and not run.report.exists()
    summary = json.loads(run.summary.read_text())
    assert summary["split"] == "validation" and summary["balanced_accuracy"] == result.best.value
    assert yaml.safe_load((tmp_path / "best.yaml").read_text())["recipe"]["method"] == "focal"
