"""A training that diverges says where, and keeps the last finite checkpoint."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from training.stripes import recipe, stripes

from medtail.errors import InputError
from medtail.runs.run import Run
from medtail.training.fit import train


def break_weights(module) -> None:
    torch.nn.init.constant_(next(module.method.head.parameters()), float("nan"))


def test_a_loss_that_is_not_finite_is_named_with_its_step_and_images(tmp_path: Path) -> None:
    class Breaks(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
            if (trainer.current_epoch, batch_idx) == (1, 1):
                break_weights(pl_module)

    collection = stripes()
    with pytest.raises(InputError, match=r"loss is nan in step 2 \(images .+\) of epoch 2 ") as error:
        train(collection, recipe("ce"), Run(tmp_path / "run"), callbacks=[Breaks()])
    assert any(name in str(error.value) for name in collection.table["id"])


def test_weights_broken_by_the_last_step_reach_no_checkpoint(tmp_path: Path) -> None:
    class Breaks(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            if trainer.current_epoch == 2 and trainer.is_last_batch:
                break_weights(pl_module)

    run = Run(tmp_path / "run")
    # At the end of this schedule the rate is nearly 0, which is no advice.
    with pytest.raises(InputError, match=r"weights are no longer finite.*optimizer\.learning_rate=0\.005`"):
        train(
            stripes(),
            recipe("ce", "training.monitor=last_epoch", "schedule.name=cosine"),
            run,
            callbacks=[Breaks()],
        )
    content = torch.load(run.last_checkpoint, weights_only=True)
    assert content["epoch"] == 1
    assert all(value.isfinite().all() for value in content["state_dict"].values())
