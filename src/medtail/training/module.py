"""The thin bridge between a method and Lightning's loop."""

from collections.abc import Callable
from functools import partial
from typing import Any, final

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from medtail.methods import Method
from medtail.recipes.schema import Recipe
from medtail.runs.facts import DatasetFacts
from medtail.sam import SAM
from medtail.training.batches.mixing import build_mixing
from medtail.training.batches.preparation import VIEWS, OtherViews, memory_format
from medtail.training.devices import full_precision
from medtail.training.frozen.features import FrozenFeatures
from medtail.training.frozen.views import DrawnView, EveryView, PlainView
from medtail.training.optimization.optimizers import build_optimizer, learning_rate_schedule


@final
class MethodModule(lightning.LightningModule):
    """Passes batches to a method; it has no training idea of its own."""

    def __init__(self, method: Method, recipe: Recipe, facts: DatasetFacts) -> None:
        super().__init__()
        self.method = method.to(memory_format=memory_format(facts.dimensions))
        first, *others = (VIEWS[name](recipe, facts) for name in method.views)
        self.preparation: nn.Module = first
        self.other_views = OtherViews(others)
        self.mixing = build_mixing(recipe.augmentation.mixup)
        self.recipe = recipe
        self.class_names = facts.class_names
        self.task = facts.task
        self._backbone_weights: dict[str, Tensor] = {}
        #: What the network gives in its frozen epochs, if that is known.
        self.frozen: FrozenFeatures | None = None
        #: The epoch and batch of the last training step: an optimizer may pass it several times.
        self._stepped = (-1, -1)
        self._validation: list[tuple[Tensor, Tensor]] = []
        #: Outputs ``(N, C)`` and targets of the whole watched split, usually validation, for callbacks.
        self.validated: tuple[Tensor, Tensor] | None = None
        #: Outputs ``(N, C)`` and targets of the last training batch, for callbacks; None where images were mixed.
        self.trained: tuple[Tensor, Tensor] | None = None

    def train_on_features(self) -> None:
        """Take the backbone out: batches hold its features, and checkpoints its weights as if it were here.

        Features are ``(N, V, D)``, of V views of each image.
        """
        backbone = self.method.take_out_backbone()
        self._backbone_weights = {
            f"method.backbone.{name}": value.cpu() for name, value in backbone.state_dict().items()
        }
        self.preparation = PlainView()
        self.mixing = EveryView() if self.recipe.optimizer.whole_split else DrawnView()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"] = {**self._backbone_weights, **checkpoint["state_dict"]}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"] = {
            name: value
            for name, value in checkpoint["state_dict"].items()
            if name not in self._backbone_weights
        }

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(self.recipe, self.method)
        schedule = learning_rate_schedule(self.recipe, optimizer, self._steps_per_epoch)
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def _steps_per_epoch(self) -> int:
        return int(self.trainer.estimated_stepping_batches // (self.trainer.max_epochs or 1))

    def on_train_epoch_start(self) -> None:
        self.method.set_epoch(self.current_epoch)
        self.method.freeze_backbone(self.current_epoch < self.recipe.backbone.frozen_epochs)

    def on_train_batch_start(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.seed_step()
        self.method.set_step(self.global_step)

    def seed_step(self) -> None:
        """Seed with (seed, step, rank) alone, so that a resumed run draws what an unbroken one draws."""
        entropy = [self.recipe.training.seed, self.global_step, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        if self._frozen_now is None:
            mixed = self.mixing(batch, self.preparation)
            step = self.method({**mixed, **self.other_views(batch["image"])})
        else:
            mixed = {**batch, "image": self._known(batch)}
            with self.method.without_backbone():
                step = self.method(mixed)
        # Further passes of an optimizer, such as SAM or L-BFGS, see moved weights, whose loss is not the model's.
        if self._stepped != (self.current_epoch, batch_index):
            self._stepped = self.current_epoch, batch_index
            whole = "partner_target" not in mixed
            self.trained = (step.outputs.detach(), mixed["target"]) if whole else None
            size = mixed["target"].shape[0]
            logged = {"train_loss": step.loss.detach(), **step.terms}
            self.log_dict(
                logged, prog_bar=True, on_step=False, on_epoch=True, batch_size=size, sync_dist=True
            )
        loss: Tensor = step.loss
        return loss

    @property
    def _frozen_now(self) -> FrozenFeatures | None:
        """The features that stand for images in this epoch; None where the network looks at them."""
        return self.frozen if self.current_epoch < self.recipe.backbone.frozen_epochs else None

    def _known(self, batch: dict[str, Tensor]) -> Tensor:
        assert self.frozen is not None
        return self.frozen.plain(batch["row"]).to(batch["image"].device)

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        sharpness_aware = self.trainer.optimizers[0]
        if isinstance(sharpness_aware, SAM) and self.trainer.scaler is not None and optimizer_closure:
            # With a gradient scaler Lightning calls a closure once, then steps without one.
            optimizer_closure = partial(sharpness_aware.both_passes, optimizer_closure)
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.method.after_step()

    @full_precision()
    def validation_step(self, batch: dict[str, Tensor], batch_index: int) -> None:
        if self._frozen_now is None:
            outputs = self.method.predict(self.preparation(batch["image"]))
        else:
            outputs = self.method.predict_features(self._known(batch))
        self._validation.append((outputs.float(), batch["target"]))

    def on_validation_epoch_end(self) -> None:
        outputs, targets = (torch.cat(parts) for parts in zip(*self._validation, strict=True))
        self._validation.clear()
        self.validated = outputs, targets
        # Every rank validates on the whole split, so nothing needs to be reduced over ranks.
        self.log("validation_loss", self.method.evaluate(outputs, targets))
        logs = self.task.log_probabilities(self.method, outputs.cpu())
        values = self.task.validation_metrics(logs.exp().numpy(), targets.cpu().numpy(), self.class_names)
        for name, value in values.items():
            in_the_bar = name in ("validation_balanced_accuracy", "validation_auc")
            self.log(name, torch.tensor(value, dtype=torch.float32), prog_bar=in_the_bar)
