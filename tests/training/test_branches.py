"""Methods with more than one branch inside the trainer: views, queues, momentum copies and teachers."""

from pathlib import Path

import lightning
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from training.stripes import SIZES, recipe, stripes

from medtail.data import ImageCollection
from medtail.errors import InputError
from medtail.methods import NestedCollaborative
from medtail.methods.parts.queues import ClassQueue, KeyQueue
from medtail.runs.run import Run
from medtail.training.fit import train
from medtail.training.inference import TrainedModel

BATCHES = -(-sum(SIZES["train"]) // 16)

#: Small queues that a few batches fill.
SMALL = {
    "bcl": ["method.hidden=16", "method.projection_size=8"],
    "gml": ["method.queue_size=40", "method.embedding_size=8"],
    "ncl": ["method.queue_size=48", "method.projection_size=8", "method.experts=2", "method.momentum=0.9"],
}


@pytest.fixture(scope="module")
def collection() -> ImageCollection:
    return stripes()


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, collection) -> Run:
    run = Run(tmp_path_factory.mktemp("teacher") / "run")
    train(collection, recipe("dbm", "training.epochs=2"), run)
    return run


@pytest.fixture
def settings(teacher):
    def of(method: str, *assignments: str):
        kind = method.removeprefix("dbm_")
        own = [f"method.teacher={teacher.folder}"] if kind == "gml" else []
        return recipe(method, "training.epochs=1", *SMALL[kind], *own, *assignments)

    return of


@pytest.mark.parametrize("method", ["bcl", "dbm_bcl", "gml", "dbm_gml", "ncl", "dbm_ncl"])
@pytest.mark.usefixtures("rendered_figures")
def test_it_learns_from_start_to_report(collection, settings, tmp_path: Path, method: str) -> None:
    run = Run(tmp_path / "run")
    summary = train(collection, settings(method, "training.epochs=8"), run)
    assert summary["balanced_accuracy"] > 0.6
    assert run.report.is_file()
    terms = run.metrics.read_text().splitlines()[0]
    assert "classification_loss" in terms and "contrast_loss" in terms


@pytest.mark.parametrize("method", ["bcl", "gml", "ncl"])
def test_a_run_predicts_without_its_teacher_and_branches(
    collection, settings, teacher, tmp_path: Path, method: str
) -> None:
    run = Run(tmp_path / "run")
    train(collection, settings(method), run)
    moved = teacher.folder.rename(tmp_path / "moved")
    try:
        model = TrainedModel.load(run)
    finally:
        moved.rename(teacher.folder)
    assert not any(name.startswith("contrast") for name in model.method.state_dict())
    saved = torch.load(run.best_checkpoint, weights_only=True)["state_dict"]
    assert any(name.startswith("method.contrast") for name in saved)
    assert not any("teacher" in name for name in saved)


class Stops(Callback):
    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("power cut")


@pytest.mark.parametrize("method", ["bcl", "gml", "ncl"])
def test_a_resumed_training_ends_as_if_never_stopped(
    collection, settings, tmp_path: Path, method: str
) -> None:
    chosen = settings(method, "training.epochs=2")
    whole, stopped = Run(tmp_path / "whole"), Run(tmp_path / "stopped")
    train(collection, chosen, whole)
    with pytest.raises(RuntimeError, match="power cut"):
        train(collection, chosen, stopped, callbacks=[Stops()])
    train(collection, chosen, stopped, resume=True)
    assert stopped.metrics.read_bytes() == whole.metrics.read_bytes()
    first, second = (torch.load(run.last_checkpoint, weights_only=True) for run in (whole, stopped))
    for part in ("state_dict", "optimizer_states"):
        torch.testing.assert_close(second[part], first[part], rtol=0, atol=0)


class Written(Callback):
    """Notes how many keys the queues took, and how often the momentum copies moved."""

    def __init__(self, monkeypatch) -> None:
        self.commits = self.keys = 0
        for queue in (KeyQueue, ClassQueue):
            commit = queue.commit

            def noted(own, commit=commit) -> None:
                before = own.keys.clone()
                commit(own)
                self.commits += 1
                self.keys += int((own.keys != before).any(1).sum())

            monkeypatch.setattr(queue, "commit", noted)


@pytest.mark.parametrize(
    ("setting", "batches_per_step"),
    [
        ("training.accumulate_batches=1", 1),
        ("training.accumulate_batches=2", 2),
        ("optimizer.sharpness.radius=0.05", 1),
    ],
)
def test_each_image_is_written_into_a_queue_once(
    collection, settings, tmp_path: Path, monkeypatch, setting: str, batches_per_step: int
) -> None:
    written = Written(monkeypatch)
    # A queue with room for every image: what is written twice would take two places.
    chosen = settings("ncl", setting, "method.queue_size=4096")
    train(collection, chosen, Run(tmp_path / "run"), callbacks=[written])
    assert written.commits == 2 * -(-BATCHES // batches_per_step)
    assert written.keys == 2 * sum(SIZES["train"])


@pytest.mark.parametrize("setting", ["training.accumulate_batches=2", "optimizer.sharpness.radius=0.05"])
def test_mixture_queues_are_written_once_per_step(
    collection, settings, tmp_path: Path, monkeypatch, setting: str
) -> None:
    written = Written(monkeypatch)
    train(
        collection,
        settings("gml", setting, "method.queue_size=4096"),
        Run(tmp_path / "run"),
        callbacks=[written],
    )
    assert written.keys == sum(SIZES["train"])


class Views(Callback):
    def on_fit_start(self, trainer, pl_module) -> None:
        pl_module.method.register_forward_hook(self.note)
        self.batches: list[dict[str, torch.Tensor]] = []

    def note(self, method, arguments, output) -> None:
        if method.training:
            self.batches.append({name: value.clone() for name, value in arguments[0].items()})


def test_views_are_of_the_same_images_in_different_preparations(collection, settings, tmp_path: Path) -> None:
    views = Views()
    plain = ["augmentation.horizontal_flip=0", "training.epochs=1", "augmentation.contrast_view.grey=0"]
    train(collection, settings("bcl", *plain), Run(tmp_path / "run"), callbacks=[views])
    first = views.batches[0]
    shapes = {first[name].shape for name in ("image", "image_1", "image_2")}
    assert len(shapes) == 1
    assert not torch.equal(first["image_1"], first["image_2"])
    # Without a transform, the first view is the image itself, and the others are not.
    assert not torch.equal(first["image"], first["image_1"])


@pytest.mark.parametrize("setting", ["augmentation.crop=8"])
def test_views_have_one_size_under_a_crop(collection, settings, tmp_path: Path, setting: str) -> None:
    views = Views()
    train(collection, settings("ncl", setting), Run(tmp_path / "run"), callbacks=[views])
    assert views.batches[0]["image"].shape == views.batches[0]["image_1"].shape == (16, 1, 8, 8)


def test_a_teacher_of_other_classes_is_refused(collection, settings, tmp_path: Path) -> None:
    other = Run(tmp_path / "other")
    renamed = stripes()
    train(renamed, recipe("ce", "training.epochs=1", "data.positive=class 2"), other)
    chosen = settings("gml", f"method.teacher={other.folder}")
    with pytest.raises(
        InputError, match="`teacher` must have the classes of the data, class 0, class 1, class 2"
    ):
        train(collection, chosen, Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_does_not_exist_is_refused(collection, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`teacher` must be the folder of a finished run"):
        train(collection, recipe("gml", f"method.teacher={tmp_path / 'nothing'}"), Run(tmp_path / "run"))


def test_a_teacher_of_other_images_is_refused(settings, teacher, collection, tmp_path: Path) -> None:
    chosen = settings("gml", "data.image_size=16")
    with pytest.raises(InputError, match="`teacher` must take images of 16 pixels"):
        train(collection, chosen, Run(tmp_path / "run"))


def test_a_contrastive_method_needs_a_recipe_of_its_views(collection, settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"augmentation\.contrast_view is required"):
        train(collection, settings("bcl", "augmentation.contrast_view=null"), Run(tmp_path / "run"))


def test_balanced_contrast_refuses_accumulation(collection, settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be 1 for method balanced_contrastive, got 2"):
        train(collection, settings("bcl", "training.accumulate_batches=2"), Run(tmp_path / "run"))


def test_frozen_backbones_of_all_experts_stay(collection, settings, tmp_path: Path) -> None:
    class Watch(Callback):
        def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module) -> None:
            method = pl_module.method
            assert isinstance(method, NestedCollaborative)
            frozen = trainer.current_epoch < 1
            for expert in method.experts:
                assert all(value.requires_grad != frozen for value in expert.backbone.parameters())

    train(
        collection,
        settings("ncl", "backbone.frozen_epochs=1", "training.epochs=2"),
        Run(tmp_path / "run"),
        callbacks=[Watch()],
    )


def test_each_expert_is_judged_beside_the_ensemble(collection, settings, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    summary = train(collection, settings("ncl"), run)
    table = pd.read_csv(run.members)
    assert list(table["member"]) == ["expert 1", "expert 2", "ensemble"] * 2
    test = table[table["split"] == "test"].set_index("member")
    assert test.loc["ensemble", "balanced_accuracy"] == pytest.approx(summary["balanced_accuracy"], rel=1e-5)
    assert test["brier"].nunique() == 3
    assert "One expert and all experts" in run.report.read_text()


def test_a_single_network_has_no_members(collection, settings, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(collection, settings("bcl"), run)
    assert not run.members.exists()
    assert "One expert and all experts" not in run.report.read_text()
