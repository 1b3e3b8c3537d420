"""From pixels to what a network takes: the preparation of each view of an image."""

from collections.abc import Callable, Iterable
from typing import final

import torch
from torch import Tensor, nn

from medtail.data.transforms import (
    AUGMENTATION,
    CentreCrop,
    MaskedNormalize,
    Normalize,
    build_augmentation,
)
from medtail.errors import InputError
from medtail.recipes.schema import Recipe, ViewAugmentation
from medtail.runs.facts import DatasetFacts


def memory_format(dimensions: int) -> torch.memory_format:
    """Return channels last, the order that convolutions prefer, for images (2) or volumes (3)."""
    return torch.channels_last if dimensions == 2 else torch.channels_last_3d


@final
class ImagePreparation(nn.Module):
    """From uint8 pixels to what the network takes: augmented in training only, then normalised.

    It runs on the device, on a whole batch at once; every image draws its own random changes.

    Args:
        augmentation: Changes images in [0, 1] in training.
        normalize: Normalises them afterwards, in training and evaluation.
        view: Takes the place of augmentation in evaluation; leaves images as they are by default.
    """

    def __init__(self, augmentation: nn.Module, normalize: nn.Module, view: nn.Module | None = None) -> None:
        super().__init__()
        self.augmentation = augmentation
        self.normalize = normalize
        self.view = nn.Identity() if view is None else view

    @classmethod
    def of(cls, recipe: Recipe, facts: DatasetFacts) -> "ImagePreparation":
        """Build the preparation of a recipe, with the statistics of its training data."""
        return cls._of(recipe.augmentation, recipe, facts)

    @classmethod
    def of_contrast_view(cls, recipe: Recipe, facts: DatasetFacts) -> "ImagePreparation":
        """Build the preparation of the views that a contrastive method compares.

        Raises:
            InputError: The recipe does not say how.
        """
        settings = recipe.augmentation.contrast_view
        if settings is None:
            raise InputError(
                f"augmentation.contrast_view is required by method {recipe.method.name}: it says how the views are "
                f"changed that are compared; take it from recipe bcl"
            )
        return cls._of(settings, recipe, facts)

    @classmethod
    def _of(cls, settings: ViewAugmentation, recipe: Recipe, facts: DatasetFacts) -> "ImagePreparation":
        crop = recipe.augmentation.crop
        masked = recipe.data.normalization == "masked"
        # Views of one image must have one size.
        own = settings.model_dump(include=set(AUGMENTATION)) | {
            "crop": None if settings.resized_crop else crop
        }
        return cls(
            build_augmentation(own, mean=facts.mean, size=crop, variant=settings.variant),
            MaskedNormalize() if masked else Normalize(facts.mean, facts.standard_deviation),
            None if crop is None else CentreCrop(crop),
        )

    def then(self, view: nn.Module) -> "ImagePreparation":
        """Return the same preparation with one more change of the image in evaluation, before it is normalised."""
        return ImagePreparation(self.augmentation, self.normalize, nn.Sequential(self.view, view))

    @property
    def changes_in_training(self) -> bool:
        """Whether training sees other images than evaluation."""
        return any(True for _ in self.augmentation.children()) or not isinstance(self.view, nn.Identity)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return float images ``(N, channels, H, W)``, or volumes, from uint8 ones."""
        normalized: Tensor = self.normalize(self.augmented(pixels))
        return normalized.contiguous(memory_format=memory_format(normalized.ndim - 2))

    def augmented(self, pixels: Tensor) -> Tensor:
        """Return float images in [0, 1], not yet normalised."""
        images = pixels.float() / 255
        seen: Tensor = self.augmentation(images) if self.training else self.view(images)
        return seen


#: The views that a method may ask for, by name, each built from the recipe and the facts of the training data.
VIEWS: dict[str, Callable[[Recipe, DatasetFacts], ImagePreparation]] = {
    "augmented": ImagePreparation.of,
    "contrast": ImagePreparation.of_contrast_view,
}


@final
class OtherViews(nn.Module):
    """The views of an image besides the first one, which mixing leaves alone.

    Args:
        preparations: One per view.
    """

    def __init__(self, preparations: Iterable[ImagePreparation]) -> None:
        super().__init__()
        self.preparations = nn.ModuleList(preparations)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """Return float images ``(N, channels, H, W)`` under ``image_1``, ``image_2``, … from uint8 ones."""
        return {f"image_{number}": view(pixels) for number, view in enumerate(self.preparations, start=1)}
