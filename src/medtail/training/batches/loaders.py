"""Batches for the loop: sampled for training, in order for validation."""

from dataclasses import replace
from typing import Any, final

import lightning
import numpy as np
from torch.utils.data import DataLoader, SequentialSampler

from medtail.data import ImageBatches, PairedBatches, batch_loader
from medtail.data.samplers import SAMPLERS, PairedSampler, TrainingSampler
from medtail.recipes.schema import Recipe
from medtail.training.devices import has_room
from medtail.training.prepare import PreparedData

#: Keeps the seed of partners apart from that of the images they are mixed with.
_PARTNERS = 1


@final
class RunData(lightning.LightningDataModule):
    """Training and validation batches of one run.

    Only training images are resampled. Every rank draws its own share of them, and judges the whole
    watched split (usually validation), so that a metric does not depend on the number of devices.
    """

    def __init__(self, data: PreparedData, recipe: Recipe) -> None:
        super().__init__()
        self.data = data
        self.recipe = recipe

    def setup(self, stage: str) -> None:
        """Move pixels to this process's device, once, if they fit beside the network."""
        if self.trainer is not None:
            place = self.trainer.strategy.root_device
            if has_room(place, self.data.pixels.size_in_bytes):
                self.data = replace(self.data, pixels=self.data.pixels.to(place))

    def _images(self, split: str) -> ImageBatches:
        rows = self.data.collection.rows(split)
        return ImageBatches(self.data.pixels, rows, self.data.collection.targets[rows])

    def train_dataloader(self) -> DataLoader[Any]:
        if self.trainer is None:
            raise RuntimeError(
                "RunData belongs to a Trainer, whose number of processes decides each one's share"
            )
        training = self.recipe.training
        images = self._images("train")
        share = len(images) if self.recipe.optimizer.whole_split else training.batch_size // training.devices
        sampler = self._sampler(self.recipe.sampling.name, images.targets, training.seed)
        # Batch normalisation cannot take statistics of a single image.
        drop_last = len(sampler) > share and len(sampler) % share == 1
        mixup = self.recipe.augmentation.mixup
        if mixup is None or mixup.partners == "batch":
            return batch_loader(
                images, sampler=sampler, batch_size=share, workers=training.workers, drop_last=drop_last
            )
        seed = int(np.random.SeedSequence([training.seed, _PARTNERS]).generate_state(1)[0])
        partners = self._sampler(mixup.partners, images.targets, seed)
        return batch_loader(
            PairedBatches(images),
            sampler=PairedSampler(sampler, partners),
            batch_size=share,
            workers=training.workers,
            drop_last=drop_last,
        )

    def _sampler(self, name: str, targets: np.ndarray, seed: int) -> TrainingSampler:
        """Return this process's share of a draw of training images."""
        assert self.trainer is not None
        training = self.recipe.training
        return SAMPLERS[name](
            self.data.facts.task.sampling_targets(targets),
            batch_size=training.batch_size // training.devices,
            seed=seed,
            num_replicas=self.trainer.world_size,
            rank=self.trainer.global_rank,
            num_epochs=training.epochs,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        watched = self.recipe.data.watched_split
        assert watched is not None, "without a split to watch the trainer skips validation"
        images = self._images(watched)
        training = self.recipe.training
        return batch_loader(
            images,
            sampler=SequentialSampler(images),
            batch_size=training.batch_size,
            workers=training.workers,
        )
