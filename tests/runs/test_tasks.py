"""What differs between one class per image and several labels."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score, roc_auc_score

from medtail.backbones import create_backbone
from medtail.data import ImageArray, ImageCollection
from medtail.errors import InputError
from medtail.heads import LinearHead
from medtail.losses import LOSSES, AsymmetricLoss, CrossEntropyLoss, create_loss
from medtail.losses.catalogue import multi_label_losses
from medtail.methods import Supervised
from medtail.metrics import UndefinedMetricWarning
from medtail.recipes.compose import compose
from medtail.runs.tasks import MultiLabel, SingleLabel
from medtail.training.multi_label import check_multi_label_recipe

NAMES = ["a", "b", "c"]


def images(names: list[str], *, several: bool) -> ImageCollection:
    source = ImageArray(np.zeros((6, 4, 4, 1), np.uint8))
    ids = [f"image {row}" for row in range(6)]
    if several:
        labels = {name: np.array([1, 0] * 3) for name in names}
        return ImageCollection.build_multi_label(name="x", data="x", ids=ids, labels=labels, source=source)
    return ImageCollection.build(
        name="x", data="x", ids=ids, labels=[names[row % len(names)] for row in range(6)], source=source
    )


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        (
            "ce",
            {},
            "got ce for the label_ columns of x; take one of bce, sigmoid_focal, hill, asl, apl, alpa",
        ),
        ("class_balanced", {"loss": {"likelihood": "sigmoid"}}, "got class_balanced for the label_ columns"),
        ("asl_softmax", {}, "got asl_softmax"),
        ("asl", {"sampling": {"name": "stratified"}}, "sampling.name must be uniform .*, got stratified"),
        ("asl", {"sampling": {"name": "square_root"}}, "sampling.name must be uniform .*, got square_root"),
        ("asl", {"loss": {"gamma_negativ": 2}}, "loss asl has no setting gamma_negativ"),
    ],
)
def test_recipes_of_one_class_an_image_are_refused(method: str, changes: dict, message: str) -> None:
    recipe = compose("small_images", method, changes)
    with pytest.raises(InputError, match=message):
        check_multi_label_recipe(recipe, images(NAMES, several=True))


@pytest.mark.parametrize("method", multi_label_losses())
def test_recipes_of_one_decision_a_label_are_taken(method: str) -> None:
    check_multi_label_recipe(compose("small_images", method), images(NAMES, several=True))


@pytest.mark.parametrize(
    ("names", "several"), [(["a", "b"], True), (["a", "b", "c", "d"], True), (["a", "b", "c"], False)]
)
def test_other_labels_are_not_judged(names: list[str], several: bool) -> None:
    with pytest.raises(
        InputError, match=r"the run was trained with \(label_a, label_b, label_c\) and no others"
    ):
        MultiLabel().check_classes(images(names, several=several), NAMES)


def test_the_same_labels_are_judged_in_any_order() -> None:
    MultiLabel().check_classes(images(["c", "a", "b"], several=True), NAMES)


def test_a_model_of_classes_does_not_judge_several_labels() -> None:
    with pytest.raises(InputError, match="data must name one class per image, as the run was trained, x has"):
        SingleLabel().check_classes(images(NAMES, several=True), NAMES)
    SingleLabel().check_classes(images(["a", "b"], several=False), NAMES)
    with pytest.raises(InputError, match="data must hold only classes the run knows"):
        SingleLabel().check_classes(images(["a", "d"], several=False), NAMES)


def test_several_labels_are_validated_by_their_yes_or_no() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(50, 3, generator=generator) < 0.4).long()
    probabilities = (0.6 * targets + 0.5 * torch.rand(50, 3, generator=generator)).clamp(0, 1)
    values = MultiLabel().validation_metrics(probabilities.numpy(), targets.numpy(), NAMES)
    truth, decided = targets.numpy(), probabilities.numpy() >= 0.5
    labels = zip(truth.T, decided.T, strict=True)
    assert values == pytest.approx(
        {
            "validation_balanced_accuracy": np.mean([balanced_accuracy_score(*label) for label in labels]),
            "validation_auc": roc_auc_score(truth, probabilities.numpy(), average="macro"),
            "validation_accuracy": accuracy_score(truth, decided),
            "validation_macro_f1": f1_score(truth, decided, average="macro"),
            **{
                f"validation_recall_{name}": recall_score(truth[:, index], decided[:, index])
                for index, name in enumerate(NAMES)
            },
        }
    )


def test_a_label_that_validation_cannot_judge_is_left_out_and_named() -> None:
    targets = torch.tensor([[1, 0, 1], [0, 0, 1]])
    probabilities = torch.tensor([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]])
    with (
        pytest.warns(UndefinedMetricWarning, match="label_balanced_accuracy is defined for 1 of 3"),
        pytest.warns(UndefinedMetricWarning, match="recall_per_class"),
        pytest.warns(UndefinedMetricWarning, match="label_roc_auc is defined for 1 of 3"),
    ):
        values = MultiLabel().validation_metrics(probabilities.numpy(), targets.numpy(), NAMES)
    assert values["validation_balanced_accuracy"] == 1.0


def test_one_class_is_validated_by_the_most_probable() -> None:
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8]])
    values = SingleLabel().validation_metrics(probabilities.numpy(), np.array([0, 1, 1, 2]), NAMES)
    assert values["validation_accuracy"] == 0.75
    assert values["validation_balanced_accuracy"] == pytest.approx(2.5 / 3)
    assert values["validation_recall_b"] == 0.5
    expected = roc_auc_score([0, 1, 1, 2], probabilities.numpy(), multi_class="ovr")
    assert values["validation_auc"] == pytest.approx(expected)


@pytest.mark.parametrize("task", [SingleLabel(), MultiLabel()])
def test_a_model_that_diverged_has_no_area(task) -> None:
    probabilities = torch.full((2, 3), torch.nan)
    targets = torch.tensor([0, 1]) if isinstance(task, SingleLabel) else torch.tensor([[1, 0, 0], [0, 1, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        assert np.isnan(
            task.validation_metrics(probabilities.numpy(), targets.numpy(), NAMES)["validation_auc"]
        )


@pytest.mark.parametrize("key", ["bce", "sigmoid_focal", "hill", "asl", "apl", "alpa"])
def test_label_probabilities_are_sigmoids(key: str) -> None:
    logits = torch.tensor([[-3.0, 0.0, 2.0], [50.0, -50.0, 1.0]])
    loss = create_loss(key, class_counts=[5, 3, 2])
    torch.testing.assert_close(loss.label_probabilities(logits), logits.sigmoid())
    half = loss.label_probabilities(logits.bfloat16())
    assert half.dtype == torch.float32


@pytest.mark.parametrize("key", sorted(set(LOSSES) - {"bce", "sigmoid_focal", "hill", "asl", "apl", "alpa"}))
def test_losses_of_one_class_have_no_label_probabilities(key: str) -> None:
    assert key not in multi_label_losses()
    with pytest.raises(InputError, match="is single-label; call probabilities"):
        create_loss(key, class_counts=[5, 3, 2]).label_probabilities(torch.zeros(2, 3))


def test_a_supervised_method_reads_its_loss() -> None:
    head = LinearHead(64, 3)
    backbone = create_backbone("resnet8")
    outputs = torch.tensor([[0.0, 1.0, -1.0]])
    method = Supervised(backbone, head, AsymmetricLoss())
    torch.testing.assert_close(method.label_probabilities(outputs), outputs.sigmoid())
    with pytest.raises(InputError, match="CrossEntropyLoss is single-label"):
        Supervised(backbone, head, CrossEntropyLoss()).label_probabilities(outputs)


def test_uniform_draws_are_the_same_whatever_the_labels() -> None:
    first, second = np.zeros((6, 2), dtype=int), np.ones((6, 2), dtype=int)
    drawn = MultiLabel().sampling_targets(first)
    assert drawn.shape == (6,)
    assert np.array_equal(drawn, MultiLabel().sampling_targets(second))
