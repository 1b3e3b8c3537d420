"""From a recipe to a method and its optimizer: what is built for training, and what for prediction alone."""

from typing import Any

import numpy as np
import pytest
import torch
from training.stripes import recipe

from medtail.backbones import create_backbone
from medtail.errors import InputError
from medtail.losses import LOSSES
from medtail.methods import Method, Teacher
from medtail.recipes.compose import recipe_names
from medtail.training import build
from medtail.training.build import BuildContext, build_method

COUNTS = np.array([60, 20, 8])


@pytest.mark.parametrize("name", recipe_names("methods"))
def test_a_method_and_its_settings_agree_on_what_it_can_do(name: str) -> None:
    settings = recipe(name)
    teacher = Teacher(build_method(BuildContext(recipe("ce"), COUNTS)))
    method = build_method(BuildContext(settings, COUNTS, teacher=teacher))
    condition = settings.method.condition
    assert (method.conditional is None) == (condition is None) == (settings.method.condition_grid is None)
    if method.conditional is not None:
        assert dict(method.conditional.condition) == condition
    assert (type(method).label_probabilities is not Method.label_probabilities) == settings.method.multi_label
    # Balanced contrast compares the images of a batch, whatever the loss does.
    own = settings.method.name == "balanced_contrastive"
    assert method.uses_batch_statistics == (
        own or BuildContext(settings, COUNTS).loss().uses_batch_statistics
    )
    # The last layers of an ensemble stand side by side.
    embeddings = method.eval().embed_features(torch.randn(2, method.num_features))
    assert method.class_centres is not None
    assert method.class_centres.shape == (len(COUNTS), embeddings.shape[1])


@pytest.mark.parametrize("key", LOSSES)
def test_every_loss_of_logits_takes_the_head_of_dals_baselines(key: str) -> None:
    loss = BuildContext(recipe(key), COUNTS).loss()
    context = BuildContext(recipe(key, "head.name=two_layer", "head.dropout=0"), COUNTS)
    if loss.expects == "cosines":
        with pytest.raises(InputError, match="expects cosines, TwoLayerHead emits logits"):
            build_method(context)
        return
    method = build_method(context).eval()
    embeddings = method.embed_features(torch.randn(4, method.num_features))
    assert embeddings.shape == (4, 128) and (embeddings >= 0).all()


@pytest.mark.parametrize("name", ["bcl", "gml", "ncl"])
def test_what_only_training_needs_is_not_needed_to_predict(name: str) -> None:
    teacher = Teacher(build_method(BuildContext(recipe("ce"), COUNTS)))
    trained = build_method(BuildContext(recipe(name), COUNTS, teacher=teacher)).eval()
    weights = {
        key: value for key, value in trained.state_dict().items() if not key.startswith(trained.training_only)
    }
    assert len(weights) < len(trained.state_dict())
    assert not any("teacher" in key for key in trained.state_dict())
    predicting = build_method(BuildContext(recipe(name), COUNTS, for_training=False)).eval()
    predicting.load_state_dict(weights)
    images = torch.randn(2, 1, 12, 12)
    torch.testing.assert_close(predicting.predict(images), trained.predict(images), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["bcl", "gml", "ncl"])
def test_images_with_several_views_are_not_mixed(refuses, name: str) -> None:
    teacher = Teacher(build_method(BuildContext(recipe("ce"), COUNTS)))
    mixed = recipe(name, "augmentation.mixup.alpha=0.2")
    assert "augmentation.mixup must be null for method" in refuses(
        build_method, BuildContext(mixed, COUNTS, teacher=teacher)
    )


def test_gaussian_mixtures_need_a_teacher_to_train(refuses) -> None:
    message = refuses(build_method, BuildContext(recipe("gml"), COUNTS))
    assert "needs a trained model to learn from, got none" in message


@pytest.mark.parametrize("for_training", [True, False])
def test_published_weights_are_for_training_alone(monkeypatch, for_training: bool) -> None:
    asked: list[str] = []

    def create(*arguments: Any, weights: str, **settings: Any) -> torch.nn.Module:
        asked.append(weights)
        return create_backbone(*arguments, **settings)

    monkeypatch.setattr(build, "create_backbone", create)
    build_method(BuildContext(recipe("ce", "backbone.weights=published"), COUNTS, for_training=for_training))
    assert asked == ["published" if for_training else "none"]


def test_what_only_training_forbids_does_not_keep_a_run_from_predicting() -> None:
    settings = recipe("dal", "training.accumulate_batches=2")
    assert build_method(BuildContext(settings, COUNTS, for_training=False)).uses_batch_statistics
