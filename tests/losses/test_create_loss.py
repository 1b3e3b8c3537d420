"""Building losses from settings, and the sentences for those that are wrong."""

import numpy as np
import pandas as pd
import pytest
import torch

from medtail.errors import InputError
from medtail.losses import (
    LOSSES,
    PAPERS,
    UNAVAILABLE_LOSSES,
    DeferredWeighting,
    DifficultyAwareMarginLoss,
    EffectiveNumberWeighting,
    FocalLoss,
    PriorAdjustment,
    create_loss,
)

COUNTS = [90, 10, 5]


def refusal(name="ce", counts=COUNTS, **settings):
    with pytest.raises(InputError) as caught:
        create_loss(name, class_counts=counts, settings=settings)
    return str(caught.value)


def test_fills_in_what_the_constructor_names():
    assert create_loss("adacos", class_counts=COUNTS).scale.lowest > 0
    assert create_loss("ldam", class_counts=COUNTS).margin.size.margins.shape == (3,)
    loss = create_loss("ldam", class_counts=COUNTS, settings={"weighting": "deferred"}, num_epochs=30)
    assert loss.weighting.start_epoch == 24


def test_settings_win_over_what_is_filled_in():
    part = {"name": "deferred", "num_epochs": 100, "start": 0.5}
    loss = create_loss("dbm", class_counts=COUNTS, settings={"weighting": part}, num_epochs=30)
    assert loss.weighting.start_epoch == 50


def test_parts_by_name_or_mapping():
    loss = create_loss(
        "dbm",
        class_counts=COUNTS,
        settings={
            "adjustment": {"name": "prior", "tau": 0.5},
            "weighting": {"name": "effective_number", "normalized": False},
            "scale": 16,
        },
    )
    assert isinstance(loss, DifficultyAwareMarginLoss)
    assert isinstance(loss.adjustment, PriorAdjustment)
    assert isinstance(loss.weighting, EffectiveNumberWeighting)
    assert loss.adjustment.removed_power == 0.5
    assert loss.scale.value == 16


def test_dbm_bs_is_dbm_with_the_prior_adjustment():
    cosines, targets = torch.tensor([[0.4, 0.5, -0.1]]), torch.tensor([0])
    by_hand = DifficultyAwareMarginLoss(COUNTS, adjustment=PriorAdjustment(COUNTS))
    assert create_loss("dbm_bs", class_counts=COUNTS)(cosines, targets) == by_hand(cosines, targets)


def test_every_loss_names_its_paper():
    assert set(PAPERS) == set(LOSSES)
    assert not set(UNAVAILABLE_LOSSES) & set(LOSSES)


def test_the_parameter_free_loss_is_not_guessed():
    assert "not implemented: formula not public" in refusal("pf")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"name": "focall"}, "loss must be one of ce, weighted_ce, .*, got 'focall'; did you mean focal?"),
        (
            {"name": "focal", "gama": 1},
            r"loss focal has no setting gama, got 1; it takes gamma, alpha, reduction; did you mean gamma\?",
        ),
        ({"name": "focal", "gamma": -1}, r"gamma must be a number in \[0, inf\), got -1"),
        ({"name": "focal", "gamma": "two"}, r"gamma must be a number in \[0, inf\), got 'two'"),
        ({"name": "focal", "gamma": True}, "gamma must be a number .* got True"),
        ({"name": "focal", "alpha": 1.5}, r"alpha must be a number in \[0, 1\], got 1.5"),
        ({"name": "focal", "alpha": "x"}, r"alpha must be a number in \[0, 1\], got 'x'"),
        (
            {"reduction": "men"},
            "reduction must be one of mean, weighted_mean, sum, none, got 'men'; did you mean mean",
        ),
        (
            {"name": "dbm", "instance_margin": "easy"},
            "instance_margin must be one of hard, all, none, got 'easy'",
        ),
        ({"name": "dbm", "scale": 0}, r"scale must be a number in \(0, inf\), got 0"),
        ({"name": "dbm", "max_margin": 30}, r"max_margin must be a number in \[0, 3.14159\], got 30"),
        (
            {"name": "dbm", "weighting": "defered"},
            "weighting must be one of .*, got 'defered'; did you mean deferred",
        ),
        (
            {"name": "dbm", "weighting": 3},
            "weighting must be a name or a mapping with one, got 3; e.g. weighting",
        ),
        (
            {"name": "dbm", "weighting": {"name": "class"}},
            "weighting class must be given class_weights, got none",
        ),
        (
            {"name": "dbm", "weighting": {"name": "deferred", "start": 2}},
            r"start must be a number in \[0, 1\], got 2",
        ),
        (
            {"name": "dal", "scale": "automatic"},
            "scale must be one of auto, a positive number, got 'automatic'",
        ),
        ({"name": "dal", "min_margin": 0.4}, r"max_margin must be a number in \[0.4, 3.14159\], got 0.3"),
        ({"name": "class_balanced", "beta": 1.0}, r"beta must be a number in \[0, 1\), got 1.0"),
        ({"name": "sphereface", "margin": 1.5}, "margin must be a whole number of at least 1, got 1.5"),
        ({"name": "adacos", "dynamic": "no"}, "dynamic must be true or false, got 'no'"),
        (
            {"name": "alpa", "coefficients": [1, 2]},
            r"coefficients must be \(\(a0, a1, b1\), \(c0, c1, d1\)\)",
        ),
        ({"name": "ce+soft_f1", "weights": [1]}, r"weights must be two numbers of at least 0, got \[1\]"),
    ],
)
def test_one_sentence_names_what_is_wrong(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        create_loss(
            settings.get("name", "ce"),
            class_counts=COUNTS,
            settings={key: value for key, value in settings.items() if key != "name"},
        )


def test_counts_must_be_positive_and_two_at_least():
    assert refusal(counts=[5, 0, 3]) == (
        "class_counts must be positive, got 0 for class 1 of 3; "
        "drop the class or pass the counts of the training split"
    )
    assert "at least 2 classes" in refusal(counts=[5])
    assert "class_counts must be numbers" in refusal(counts=["many", "few"])


def test_adacos_refuses_two_classes_with_a_remedy():
    assert "2 classes" in refusal("adacos", counts=[5, 5])
    assert "arcface with margin 0" in refusal("adacos", counts=[5, 5])


def test_columns_must_match_the_counts():
    with pytest.raises(
        InputError, match="outputs must have one column for each of the 3 class_counts, got 4"
    ):
        create_loss("ce", class_counts=COUNTS)(torch.zeros(2, 4), torch.tensor([0, 1]))
    with pytest.raises(InputError, match="class weights must be one for each of the 3 columns"):
        FocalLoss(alpha=0.25)(torch.zeros(1, 3), torch.tensor([0]))


def test_an_id_beyond_the_classes_is_refused():
    for key in LOSSES:
        loss = create_loss(key, class_counts=COUNTS)
        with pytest.raises(InputError, match="targets must be class ids from 0 to 2, got 3"):
            loss(torch.zeros(1, 3), torch.tensor([3]))


def test_counts_come_as_lists_arrays_and_tensors():
    for counts in (COUNTS, np.array(COUNTS), torch.tensor(COUNTS), tuple(COUNTS), pd.Series(COUNTS)):
        assert create_loss("balanced_softmax", class_counts=counts).adjustment.offset.shape == (3,)


def test_a_deferred_weighting_that_was_never_told_the_epoch_raises():
    loss = create_loss("dbm", class_counts=COUNTS, settings={"weighting": "deferred"})
    with pytest.raises(InputError, match=r"call loss.set_epoch\(epoch\)"):
        loss(torch.zeros(1, 3), torch.tensor([0]))


def test_a_prior_is_refused_where_the_training_prior_is_unknown():
    with pytest.raises(InputError, match="build it with class_counts=<counts of the training split>"):
        FocalLoss().probabilities(torch.zeros(1, 2), [0.5, 0.5])
    with pytest.raises(InputError, match=r"prior must have shape \(2,\), got \(3,\)"):
        FocalLoss(class_counts=[1, 1]).probabilities(torch.zeros(1, 2), [0.5, 0.3, 0.2])
    with pytest.raises(InputError, match="prior must hold finite numbers of at least 0, not all 0"):
        FocalLoss(class_counts=[1, 1]).probabilities(torch.zeros(1, 2), [-0.5, 1.5])


def test_deferred_weights_change_at_their_epoch():
    weighting = DeferredWeighting(COUNTS, num_epochs=10)
    outputs, targets = torch.zeros(3, 3), torch.tensor([0, 1, 2])
    weighting.set_epoch(7)
    assert weighting(outputs, targets).tolist() == [1.0, 1.0, 1.0]
    weighting.set_epoch(8)
    late = weighting(outputs, targets)
    assert late.sum().item() == pytest.approx(3)
    assert late[2] > late[1] > late[0]
    weighting.set_epoch(0)
    assert weighting(outputs, targets).tolist() == [1.0, 1.0, 1.0]


def test_deferred_cross_entropy_is_plain_first_and_class_balanced_in_the_end() -> None:
    counts = [90, 9, 1]
    settings = {"weighting": "deferred", "reduction": "weighted_mean"}
    loss = create_loss("ce", class_counts=counts, settings=settings, num_epochs=10)
    outputs, targets = torch.randn(6, 3, dtype=torch.float64), torch.arange(6) % 3
    balanced = create_loss("class_balanced", class_counts=counts, settings={"reduction": "weighted_mean"})
    for epoch, expected in ((7, create_loss("ce", class_counts=counts)), (8, balanced)):
        loss.set_epoch(epoch)
        torch.testing.assert_close(loss(outputs, targets), expected(outputs, targets))
