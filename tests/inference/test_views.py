"""Views of test-time augmentation: exact, all different, and closed, so that their mean does not turn with an image."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from medtail.inference import TEST_TIME_AUGMENTATIONS, load
from medtail.inference.views import flips, rotations
from medtail.runs.run import Run


@pytest.mark.parametrize(
    ("name", "dimensions", "count"),
    [("flips", 2, 4), ("flips", 3, 8), ("rotations", 2, 4), ("rotations", 3, 4)],
)
def test_views_move_pixels_and_change_none(name: str, dimensions: int, count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((2, 3, *(5,) * dimensions), generator=generator)
    views = [view(images) for view in TEST_TIME_AUGMENTATIONS[name](dimensions)]
    assert len(views) == count
    assert torch.equal(views[0], images)
    for number, view in enumerate(views):
        assert view.shape == images.shape
        assert torch.equal(view.flatten(2).sort().values, images.flatten(2).sort().values)
        assert not any(torch.equal(view, other) for other in views[:number])
    again = [view(views[-1]) for view in TEST_TIME_AUGMENTATIONS[name](dimensions)]
    assert all(any(torch.equal(one, other) for other in views) for one in again)


def test_views_are_what_numpy_makes_of_an_image() -> None:
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    array = image[0, 0].numpy()
    assert [view(image)[0, 0].tolist() for view in flips(2)] == [
        array.tolist(),
        array[::-1].tolist(),
        array[:, ::-1].tolist(),
        array[::-1, ::-1].tolist(),
    ]
    assert [view(image)[0, 0].tolist() for view in rotations(2)] == [
        np.rot90(array, turns).tolist() for turns in range(4)
    ]


@pytest.mark.parametrize(
    ("name", "turn"), [("flips", lambda image: image[:, ::-1]), ("rotations", lambda image: np.rot90(image))]
)
def test_what_several_views_say_does_not_depend_on_how_the_image_lies(
    two_runs: tuple[Run, Run], name, turn
) -> None:
    classifier = load(two_runs[0], test_time_augmentation=name)
    # At the size of the run, so that resizing does not depend on the direction.
    image = np.random.default_rng(0).integers(0, 256, (12, 12), dtype=np.uint8)
    table = classifier.predict([image, np.ascontiguousarray(turn(image))])
    probabilities = table.filter(like="probability_").to_numpy()
    assert_allclose(probabilities[0], probabilities[1], atol=1e-5)
    plain = load(two_runs[0]).predict([image, np.ascontiguousarray(turn(image))])
    # As logarithms: a trained model is sure of the class either way.
    assert np.abs(np.subtract(*np.log(plain.filter(like="probability_").to_numpy()))).max() > 1e-3


def test_each_view_is_the_image_turned_beforehand(two_runs: tuple[Run, Run]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (12, 12), dtype=np.uint8)
    turned = [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]
    each = load(two_runs[0]).predict([np.ascontiguousarray(one) for one in turned])
    together = load(two_runs[0], test_time_augmentation="flips").predict([image])
    expected = each.filter(like="probability_").to_numpy().mean(axis=0)
    assert_allclose(together.filter(like="probability_").to_numpy()[0], expected, atol=1e-5)
