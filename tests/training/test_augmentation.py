"""Augmentation in a recipe: what training sees, what evaluation sees, what is refused before training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from medtail.cli.options import parse_assignments
from medtail.data import open_collection
from medtail.errors import InputError
from medtail.recipes.compose import compose
from medtail.recipes.schema import Recipe
from medtail.runs.run import Run
from medtail.runs.tasks import task_of
from medtail.training.batches.preparation import ImagePreparation
from medtail.training.fit import train
from medtail.training.prepare import prepare
from medtail.training.watching.augmented_batch import contact_sheet


def recipe(*assignments: str, dataset: str = "small_volumes") -> Recipe:
    return compose(dataset, "ce", parse_assignments(["data.image_size=12", *assignments]))


def archive(folder: Path, low: int) -> Path:
    """Volumes of 12³ with a black half; the other half is from ``low`` to 255."""
    generator = np.random.default_rng(0)
    path = folder / "volumes.npz"
    arrays = {}
    for prefix, count in (("train", 12), ("val", 4), ("test", 4)):
        images = generator.integers(low, 256, (count, 12, 12, 12), dtype=np.uint8)
        images[:, :6] = 0
        arrays |= {f"{prefix}_images": images, f"{prefix}_labels": np.arange(count) % 2}
    np.savez(path, **arrays)
    return path


def test_evaluation_sees_the_centre_of_what_training_crops(tmp_path: Path) -> None:
    cropping = recipe("augmentation.crop=8", "augmentation.depth_flip=0")
    data = prepare(open_collection(str(archive(tmp_path, 1))), cropping)
    preparation = ImagePreparation.of(cropping, data.facts)
    pixels = data.pixels.read(data.collection.rows("train"))
    centre = pixels[:, :, 2:10, 2:10, 2:10].float() / 255
    expected = (centre - data.facts.mean[0]) / data.facts.standard_deviation[0]
    torch.testing.assert_close(preparation.eval()(pixels), expected)
    torch.manual_seed(0)
    seen = preparation.train()(pixels)
    assert seen.shape == expected.shape
    assert not torch.allclose(seen, expected)


def test_masked_normalisation_is_of_each_volume_inside_its_mask(tmp_path: Path) -> None:
    masked = recipe("data.normalization=masked")
    data = prepare(open_collection(str(archive(tmp_path, 1))), masked)
    seen = ImagePreparation.of(masked, data.facts).eval()(data.pixels.read([0, 1]))
    assert not seen[:, :, :6].any()
    torch.testing.assert_close(seen[:, :, 6:].mean(dim=(1, 2, 3, 4)), torch.zeros(2), atol=1e-5, rtol=0)


def test_pixels_can_stay_in_the_unit_range(tmp_path: Path) -> None:
    data = prepare(open_collection(str(archive(tmp_path, 255))), recipe("data.normalization=none"))
    assert data.facts.mean == [0.0] and data.facts.standard_deviation == [1.0]


def test_masks_are_not_normalised_inside_themselves(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one value there .* use data\.normalization=dataset$"):
        prepare(open_collection(str(archive(tmp_path, 255))), recipe("data.normalization=masked"))


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["augmentation.crop=16"], "augmentation.crop must not be larger than data.image_size, got 16 of 12"),
        (
            ["data.normalization=masked", "augmentation.contrast=0.1"],
            "augmentation.contrast must be off with data.normalization=masked",
        ),
        (
            ["data.normalization=masked", "augmentation.contrast_gain.low=5"],
            "augmentation.contrast_gain must be off with data.normalization=masked",
        ),
        (["augmentation.gamma.lo=0.5"], "did you mean .*low"),
        (["augmentation.auto_augment=imagenet"], "augmentation.auto_augment must be .*cifar10"),
    ],
)
def test_settings_that_do_not_fit_are_refused(assignments: list[str], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        recipe(*assignments)


@pytest.mark.parametrize(
    "name", ["fundus", "dermoscopy", "cifar", "brain_mri", "scholz_glioma", "small_volumes", "volumes"]
)
def test_recipes_of_clinical_images_are_whole(name: str) -> None:
    composed = compose(name, "balanced_softmax")
    volumes = composed.backbone.name.endswith("_3d")
    assert (composed.augmentation.depth_flip > 0) == volumes


def test_the_picture_shows_every_image_over_the_name_of_its_class() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)] * 3
    images = [np.full((7, 7, 3), colour, dtype=np.uint8) for colour in colours]
    sheet = contact_sheet(images, ["a", "a class whose name is far too long to fit", "line\nbreak"] * 3)
    tiles = np.asarray(sheet)
    counts = [(tiles == colour).all(axis=-1).sum() for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    assert counts == [3 * 84 * 84] * 3
    assert sheet.height > sheet.width / 4  # nine images are two rows


def test_captions_are_of_one_class_or_of_all_labels() -> None:
    names = ["edema", "effusion", "mass"]
    assert task_of(False).caption(np.int64(2), names) == "mass"
    assert task_of(True).caption(np.array([1, 0, 1]), names) == "edema, mass"
    assert task_of(True).caption(np.array([0, 0, 0]), names) == "none"


def test_a_run_shows_the_batch_its_first_step_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = parse_assignments(
        [
            "training.epochs=1",
            "training.precision=32-true",
            "augmentation.brightness=0.5",
            "augmentation.blur.sigma=1.5",
        ]
    )
    digits = compose("digits-lt", "ce", settings)
    seen: list[torch.Tensor] = []
    original = ImagePreparation.augmented

    def watched(self: ImagePreparation, pixels: torch.Tensor) -> torch.Tensor:
        images = original(self, pixels)
        if self.training:
            seen.append(images)
        return images

    monkeypatch.setattr(ImagePreparation, "augmented", watched)
    run = Run(tmp_path / "run")
    train(open_collection("digits-lt"), digits, run)
    # Once for the picture, once for the step.
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1][:8], seen[2][:8])
    with Image.open(run.augmented) as sheet:
        assert sheet.format == "PNG"
    assert run.augmented.stat().st_size < 300_000
    page = run.report.read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert "after augmentation and before normalisation (<code>" in page
