"""What a method is given of each image: as many views as it names."""

from pathlib import Path
from typing import ClassVar

import lightning
import torch
from training.stripes import recipe, stripes

from medtail.methods.base import Batch, StepOutput
from medtail.methods.one_head import OneHeadMethod
from medtail.training.batches.loaders import RunData
from medtail.training.build import BuildContext
from medtail.training.module import MethodModule
from medtail.training.prepare import prepare


class ThreeViews(OneHeadMethod):
    """Keeps the batches it is trained with."""

    views: ClassVar[tuple[str, ...]] = ("augmented", "augmented", "augmented")

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.batches: list[Batch] = []

    def head_input(self, features: torch.Tensor) -> torch.Tensor:
        return features

    def forward(self, batch: Batch) -> StepOutput:
        self.batches.append(batch)
        outputs = self.predict(batch["image"])
        return StepOutput(loss=self.loss(outputs, batch["target"]), outputs=outputs)


def test_every_view_draws_its_own_changes(tmp_path: Path) -> None:
    settings = recipe("ce", "training.epochs=1", "augmentation.brightness=0.5")
    data = prepare(stripes(), settings)
    context = BuildContext.of(settings, data.facts)
    loss = context.loss()
    method = ThreeViews(*context.network(loss), loss)
    module = MethodModule(method, settings, data.facts)
    lightning.Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    ).fit(module, datamodule=RunData(data, settings))
    batch = method.batches[0]
    assert {name for name in batch if name.startswith("image")} == {"image", "image_1", "image_2"}
    views = [batch[name] for name in ("image", "image_1", "image_2")]
    assert len({view.shape for view in views}) == 1
    assert all(not torch.equal(view, other) for view in views for other in views if view is not other)
