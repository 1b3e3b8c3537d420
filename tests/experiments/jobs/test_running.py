"""What runs, what is left alone, and what is said of jobs that fail."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medtail.errors import InputError
from medtail.experiments.jobs import Job, LocalWorkers, RayWorkers, Workers, run_jobs
from medtail.experiments.jobs.machine import fitting_jobs, num_cores, worker_environment
from medtail.experiments.jobs.outcome import Outcome
from medtail.experiments.jobs.watch import Watch
from medtail.recipes.compose import compose
from medtail.runs.run import Run

TINY = {"training": {"epochs": 1, "batch_size": 32}}


def job(folder: Path, title: str = "ce", **changes: object) -> Job:
    return Job(title, "digits-lt", compose("digits-lt", "ce", {**TINY, **changes}), Run(folder / title))


class Imagined(Workers):
    """Finishes jobs without training; those of some titles fail."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.done: list[str] = []

    def run(self, jobs: Iterator[Job], watch: Watch) -> None:
        for one in jobs:
            watch.started(one)
            watch.show()
            self.done.append(one.title)
            if one.title not in self.failing:
                one.run.folder.mkdir(parents=True)
                one.run.summary.write_text("{}")
            watch.ended(
                one, Outcome("the image is torn; draw it again" if one.title in self.failing else None)
            )


def test_a_job_survives_json(tmp_path: Path) -> None:
    one = Job("ce", "digits-lt", job(tmp_path).recipe, Run(tmp_path / "ce"), folds=3)
    assert Job.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_what_is_finished_does_not_run_again(tmp_path: Path) -> None:
    jobs = [job(tmp_path, title) for title in ("a", "b", "c")]
    first, second = Imagined("b"), Imagined()
    with pytest.raises(InputError, match="1 of 3 trainings failed: b \\(the image is torn; draw it again\\)"):
        run_jobs(jobs, first)
    assert first.done == ["a", "b", "c"]
    run_jobs(jobs, second)
    assert second.done == ["b"]
    third = Imagined()
    run_jobs(jobs, third)
    assert third.done == []


def test_nothing_starts_where_a_folder_holds_another_run(tmp_path: Path) -> None:
    jobs = [job(tmp_path, "a"), job(tmp_path, "b")]
    jobs[1].run.folder.mkdir()
    job(tmp_path, "b", loss={"name": "focal"}).recipe.save(jobs[1].run.recipe)
    workers = Imagined()
    with pytest.raises(InputError, match=r"loss.name=ce \(saved: focal\)"):
        run_jobs(jobs, workers)
    assert workers.done == [] and not jobs[0].run.folder.exists()


def test_jobs_that_share_a_title_or_a_folder_are_refused(tmp_path: Path) -> None:
    one = job(tmp_path)
    with pytest.raises(InputError, match="must have different titles, got ce more than once"):
        run_jobs([one, one], Imagined())
    with pytest.raises(InputError, match="must have different run folders"):
        run_jobs([one, Job("other", one.data, one.recipe, one.run)], Imagined())


def test_progress_is_told_of_every_job_and_of_all(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    run_jobs([job(tmp_path, "a"), job(tmp_path, "b")], Imagined(), lambda *values: told.append(values))
    assert told == [
        ("all trainings", 0, 2),
        ("a", 0, 1),
        ("a", 1, 1),
        ("all trainings", 1, 2),
        ("b", 0, 1),
        ("b", 1, 1),
    ]


def test_processors_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("medtail.experiments.jobs.machine.num_threads", lambda: 8)
    assert num_cores() == 8
    assert worker_environment(0, 3)["OMP_NUM_THREADS"] == "2"
    assert worker_environment(0, 20)["OMP_NUM_THREADS"] == "1"
    assert 1 <= fitting_jobs() <= 8
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert worker_environment(0, 3)["OMP_NUM_THREADS"] == "5", "what the user sets is kept"


def test_each_worker_has_one_of_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [worker_environment(number, 3)["CUDA_VISIBLE_DEVICES"] for number in range(3)] == ["3", "5", "3"]


def test_workers_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`jobs` must be 1 or more, got 0"):
        LocalWorkers(0)
    several = job(tmp_path, training={"epochs": 1, "batch_size": 32, "devices": 2})
    with pytest.raises(InputError, match=r"training\.devices must be 1 where several trainings run"):
        run_jobs([several], LocalWorkers(2))


def test_a_cluster_that_does_not_answer_is_refused_at_once() -> None:
    pytest.importorskip("ray", reason="needs the extra cluster")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(InputError, match=f"none answers at {address}"):
            RayWorkers(address)
        assert time.monotonic() - began < 10
    with pytest.raises(InputError, match="`cluster` must be HOST:PORT or auto, got 'nowhere'"):
        RayWorkers("nowhere")


def test_a_job_that_fails_in_a_process_does_not_keep_the_others_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    good = job(tmp_path, "good")
    bad = Job("bad", str(tmp_path / "nothing"), good.recipe, Run(tmp_path / "bad"))
    told: list[tuple[str, int, int]] = []
    with pytest.raises(InputError, match=r"1 of 2 trainings failed: bad \(.*nothing"):
        run_jobs([bad, good], LocalWorkers(1), lambda *values: told.append(values))
    assert good.finished and not bad.run.folder.exists()
    assert told[-1] == ("all trainings", 2, 2)
    assert len(list((tmp_path / "cache" / "medtail").glob("*/pixels.npy"))) == 1, (
        "pixels are there for others"
    )
