"""The gradient-analysis figure."""

import numpy as np
import pytest
from PIL import Image

from medtail.errors import InputError
from medtail.losses import LOSSES, plot_gradients
from medtail.losses.gradient_figure import TRUE_CLASS, gradient_curve


def test_cross_entropy_pulls_with_one_minus_p():
    positive = gradient_curve("ce", TRUE_CLASS)
    np.testing.assert_allclose(positive.gradient, 1 - positive.probability, atol=1e-12)
    negative = gradient_curve("ce", 0)
    np.testing.assert_allclose(negative.gradient, negative.probability, atol=1e-12)


def test_alpa_has_the_gradient_of_its_closed_form():
    """Twice focused, p⁹ has the gradient 9p⁹(1 - p), not the 5p⁵(1 - p) of the paper's §4.4."""
    negative = gradient_curve("alpa", 0)
    p = negative.probability
    np.testing.assert_allclose(negative.gradient, 1.625 * 9 * p**9 * (1 - p), atol=1e-12)


@pytest.mark.parametrize("key", LOSSES)
def test_every_loss_has_a_finite_curve(key):
    for class_id in (0, TRUE_CLASS):
        curve = gradient_curve(key, class_id)
        assert (np.diff(curve.probability) > 0).all()
        assert np.isfinite(curve.gradient).all()
        assert curve.gradient.max() > 0


def test_writes_a_figure(tmp_path):
    path = plot_gradients(["ce", "alpa"], tmp_path / "gradients.png")
    with Image.open(path) as image:
        assert image.size[0] > 1000
    assert [file.name for file in tmp_path.iterdir()] == ["gradients.png"]
    assert plot_gradients(["ce"], tmp_path / "gradients.svg").read_text().startswith("<?xml")


def test_unknown_losses_are_named(tmp_path):
    with pytest.raises(InputError, match="got 'alpaa'; did you mean alpa"):
        plot_gradients(["ce", "alpaa"], tmp_path / "gradients.png")
