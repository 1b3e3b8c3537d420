"""What each loss is in the limit, written down as tests."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from medtail.errors import InputError
from medtail.losses import (
    LOSSES,
    AdaCosLoss,
    ArcFaceLoss,
    AsymmetricLoss,
    AsymmetricPolynomialLoss,
    BatchInverseFrequencyWeighting,
    BinaryCrossEntropyLoss,
    ClassBalancedLoss,
    ComplementCrossEntropyLoss,
    CrossEntropyLoss,
    DifficultyAwareMarginLoss,
    DynamicAngularLoss,
    FocalLoss,
    HillLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    NoWeighting,
    PadeAsymmetricLoss,
    SigmoidFocalLoss,
    SoftF1Loss,
    SoftMCCLoss,
    VectorScalingLoss,
    WeightedCrossEntropyLoss,
    WeightedSumLoss,
    create_loss,
    functional,
)
from medtail.methods.families import create_family

COUNTS = [400, 37, 90, 12, 5]


@pytest.fixture
def logits():
    return 2 * torch.randn(12, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def cosines(logits):
    return (logits / 3).tanh()


@pytest.fixture
def targets():
    return torch.tensor([0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 4])


def equal(left, right):
    torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-12)


def test_equal_counts_make_every_prior_loss_cross_entropy(logits, targets):
    expected = cross_entropy(logits, targets)
    for loss in (LogitAdjustedLoss, VectorScalingLoss, WeightedCrossEntropyLoss, ClassBalancedLoss):
        equal(loss([7] * 5)(logits, targets), expected)


def test_class_balanced_tends_to_inverse_frequency(logits, targets):
    near_one = ClassBalancedLoss(COUNTS, beta=1 - 1e-9)(logits, targets)
    inverse = functional.inverse_frequency_weights(torch.tensor(COUNTS, dtype=torch.float64))
    expected = (
        5 / inverse.sum() * inverse[targets] * cross_entropy(logits, targets, reduction="none")
    ).mean()
    torch.testing.assert_close(near_one, expected, rtol=1e-5, atol=0)


def test_weighted_mean_is_what_pytorch_does(logits, targets):
    loss = WeightedCrossEntropyLoss(COUNTS, reduction="weighted_mean")
    equal(loss(logits, targets), cross_entropy(logits, targets, weight=loss.weighting.class_weights))


def test_binary_vector_scaling_has_the_closed_form_of_lct():
    scores, targets = torch.tensor([[0.3, -0.8], [1.1, 0.4]], dtype=torch.float64), torch.tensor([0, 1])
    ratio, gamma, tau = 9.0, 0.3, 1.5
    eta = scores[:, 1] / ratio**gamma - (scores[:, 0] + tau * math.log(ratio))
    closed = torch.stack([torch.log1p(eta[0].exp()), torch.log1p((-eta[1]).exp())])
    loss = VectorScalingLoss([900, 100], gamma=gamma, tau=tau, reduction="none")
    equal(loss(scores, targets), closed)


def test_binary_focal_alpha_weights_the_positive_class():
    scores, targets = torch.tensor([[0.3, -0.8], [1.1, 0.4]], dtype=torch.float64), torch.tensor([0, 1])
    plain = FocalLoss(reduction="none")(scores, targets)
    weighted = FocalLoss(alpha=0.25, reduction="none")(scores, targets)
    equal(weighted / plain, torch.tensor([0.75, 0.25], dtype=torch.float64))
    per_class = FocalLoss(alpha=[0.75, 0.25], reduction="none")(scores, targets)
    equal(per_class, weighted)


@pytest.mark.parametrize(
    ("arguments", "weights"),
    [
        ({}, [0.75, 0.25]),
        ({"class_counts": [900, 100]}, [0.75, 0.25]),
        ({"class_counts": [100, 900]}, [0.25, 0.75]),
        ({"class_counts": [100, 100]}, [0.75, 0.25]),
        ({"class_counts": [100, 900], "positive": 1}, [0.75, 0.25]),
        ({"positive": 0}, [0.25, 0.75]),
    ],
)
def test_alpha_belongs_to_the_positive_class_in_focal_and_its_family(arguments, weights):
    assert FocalLoss(alpha=0.25, **arguments).weighting.class_weights.tolist() == weights
    if "class_counts" in arguments:
        assert (
            create_loss("focal", settings={"alpha": 0.25}, **arguments).weighting.class_weights.tolist()
            == weights
        )
        family = create_family("focal", **arguments)
        assert family(alpha=0.25).weighting.class_weights.tolist() == weights


def test_a_positive_class_of_several_is_refused():
    with pytest.raises(InputError, match="positive must be class 0 or 1, got 2"):
        FocalLoss(alpha=0.25, positive=2)


def test_ldam_and_dbm_share_the_class_margin():
    ldam, dbm = LDAMLoss(COUNTS), DifficultyAwareMarginLoss(COUNTS, max_margin=0.5, power=0.25)
    equal(ldam.margin.size.margins, dbm.margin.size.class_margin.margins)


def test_dbm_margins_do_not_depend_on_the_order_of_classes_but_the_official_ones_do():
    paper = DifficultyAwareMarginLoss([5, 400]).margin.size.class_margin.margins
    official = DifficultyAwareMarginLoss([5, 400], variant="official").margin.size.class_margin.margins
    assert paper.max() == pytest.approx(0.1)
    assert official.max() == pytest.approx(8.0)
    sorted_counts = DifficultyAwareMarginLoss([400, 5], variant="official").margin.size.class_margin.margins
    assert sorted_counts.max() == pytest.approx(0.1)


def test_unsorted_class_ids_give_the_official_margin_more_than_its_maximum():
    derma = [228, 359, 769, 80, 779, 4693, 99]
    margins = DifficultyAwareMarginLoss(derma, variant="official").margin.size.class_margin.margins
    assert margins[3].item() == pytest.approx(0.1 * 99 / 80)


def test_dbm_instance_margins_go_from_none_to_hard_to_all(cosines, targets):
    none, hard, every = (
        DifficultyAwareMarginLoss(COUNTS, instance_margin=form, reduction="none")(cosines, targets)
        for form in ("none", "hard", "all")
    )
    is_hard = cosines.argmax(1) != targets
    assert is_hard.any()
    assert not is_hard.all()
    equal(hard[is_hard], every[is_hard])
    equal(hard[~is_hard], none[~is_hard])
    assert (every > none).all()


def test_dal_without_margin_and_weighting_is_arcface_without_margin(cosines, targets):
    """DAL's Table 3: each switch is a composition."""
    arcface = ArcFaceLoss(margin=0.0, scale=4.0)(cosines, targets)
    equal(DynamicAngularLoss(max_margin=0.0, weighting=NoWeighting())(cosines, targets), arcface)
    fixed = DynamicAngularLoss(min_margin=0.2, max_margin=0.2, weighting=NoWeighting())
    equal(fixed(cosines, targets), ArcFaceLoss(margin=0.2, scale=4.0)(cosines, targets))
    with_dwce = DynamicAngularLoss(min_margin=0.2, max_margin=0.2)(cosines, targets)
    dwce = BatchInverseFrequencyWeighting()
    equal(with_dwce, ArcFaceLoss(margin=0.2, scale=4.0, weighting=dwce)(cosines, targets))
    fixed_scale = AdaCosLoss(5, dynamic=False, weighting=dwce)
    equal(
        fixed_scale(cosines, targets),
        DynamicAngularLoss(max_margin=0.0, scale=math.sqrt(2) * math.log(4))(cosines, targets),
    )


def test_dal_divides_by_the_batch_not_by_the_weights(cosines):
    """When 2 of 5 classes are present, dividing by the weights would be larger by 5/2."""
    cosines, targets = cosines[:4], torch.tensor([0, 0, 1, 1])
    mean = DynamicAngularLoss()(cosines, targets)
    equal(DynamicAngularLoss(reduction="weighted_mean")(cosines, targets), mean * 5 / 2)


def test_batch_adaptive_margins():
    margins = functional.batch_adaptive_margin(torch.tensor([0] * 6 + [1] * 2 + [2]), 4, 0.1, 0.3)
    rarity = [math.log(1 + 1 / n) for n in (6, 2, 1)]
    middle = 0.1 + 0.2 * (rarity[1] - rarity[0]) / (rarity[2] - rarity[0])
    np.testing.assert_allclose(margins, [0.1, middle, 0.3, 0.1], rtol=1e-6)
    for equally_frequent in ([0], [2, 2, 2], [0, 1, 2, 3]):
        margins = functional.batch_adaptive_margin(torch.tensor(equally_frequent), 4, 0.1, 0.3)
        np.testing.assert_allclose(margins, 0.1, rtol=1e-6)


def test_scale_range_gives_the_numbers_of_the_paper():
    angles = math.radians(65), math.radians(125)
    for num_classes, low, high in ((7, 1.40, 6.30), (5, 1.08, 4.87), (8, 1.52, 6.84)):
        assert functional.scale_range(num_classes, *angles) == pytest.approx((low, high), abs=0.005)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            (2, 1.2, 2.0),
            "num_classes must be a whole number of at least 3, got 2; .* give the scale as a number",
        ),
        ((7, 65, 125), "in radians, got 65 rad .* convert degrees with math.radians"),
        ((7, 0.5, 2.0), r"min_negative_angle must lie in \(45°, 180°\], in radians, got 0.5 rad"),
        ((7, 2.0, 1.2), "min_negative_angle must not exceed max_negative_angle"),
    ],
)
def test_scale_range_refuses(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        functional.scale_range(*arguments)


def test_monotonic_margin_never_rewards_being_more_wrong():
    cosines = torch.linspace(1, -1, 2001, dtype=torch.float64)[:, None]
    targets = torch.zeros(2001, dtype=torch.int64)
    printed = functional.angular_margin(cosines, targets, 0.5)[:, 0]
    monotonic = functional.monotonic_angular_margin(cosines, targets, 0.5)[:, 0]
    assert (printed.diff() > 1e-9).any()
    assert (monotonic.diff() < 0).all()
    inside = cosines[:, 0] > -math.cos(0.5)
    equal(monotonic[inside], printed[inside])


def test_sphereface_is_monotonic_and_continuous():
    cosines = torch.linspace(1, -1, 20001, dtype=torch.float64)[:, None]
    targets = torch.zeros(20001, dtype=torch.int64)
    for factor in (1, 2, 3, 4):
        values = functional.multiplicative_margin(cosines, targets, factor)[:, 0]
        assert (values.diff() < 1e-12).all()
        assert values[0].item() == pytest.approx(1)
        assert values[-1].item() == pytest.approx(1 - 2 * factor)
        assert values.diff().abs().max() < 0.02


def test_adacos_scale_changes_in_training_only_and_is_saved(cosines, targets):
    loss = AdaCosLoss(5)
    start = float(loss.scale.value)
    loss.eval()(cosines, targets)
    assert float(loss.scale.value) == start
    loss.train()(cosines, targets)
    followed = float(loss.scale.value)
    assert followed != start
    resumed = AdaCosLoss(5)
    resumed.load_state_dict(loss.state_dict())
    assert float(resumed.scale.value) == followed


def test_adacos_scale_stays_positive_on_very_negative_cosines(targets):
    loss = AdaCosLoss(5)
    for _ in range(20):
        loss(torch.full((12, 5), -1.0), targets)
    assert float(loss.scale.value) == pytest.approx(functional.scale_range(5, math.pi, math.pi)[0])


def test_dal_measures_its_scale_on_the_epoch_before(targets):
    loss = DynamicAngularLoss(scale="auto")
    loss.set_epoch(0)
    assert float(loss.scale.value) == 4.0
    angles = torch.empty(12, 5).uniform_(65, 125, generator=torch.Generator().manual_seed(0))
    for _ in range(20):
        loss(angles.deg2rad().cos(), targets)
    measured = angles[torch.nn.functional.one_hot(targets, 5) == 0]
    bounds = measured.quantile(0.05).deg2rad().item(), measured.quantile(0.95).deg2rad().item()
    expected = sum(functional.scale_range(5, *bounds)) / 2
    state = loss.state_dict()
    loss.set_epoch(1)
    assert float(loss.scale.value) == pytest.approx(expected, rel=0.05)
    loss.set_epoch(1)  # telling twice changes nothing
    assert float(loss.scale.value) == pytest.approx(expected, rel=0.05)

    resumed = DynamicAngularLoss(scale="auto")
    resumed.load_state_dict(state)
    resumed.set_epoch(1)
    assert float(resumed.scale.value) == float(loss.scale.value)


def test_dal_keeps_its_scale_when_negatives_are_too_near(targets):
    loss = DynamicAngularLoss(scale="auto")
    loss(torch.full((12, 5), 0.9), targets)
    with pytest.warns(
        UserWarning, match="scale stays 4: a twentieth of the angles to wrong classes lies within 25"
    ):
        loss.set_epoch(1)
    assert float(loss.scale.value) == 4.0


def test_dal_auto_refuses_two_classes():
    with pytest.raises(InputError, match="scale must be a number for 2 classes"):
        DynamicAngularLoss(scale="auto")(torch.zeros(2, 2), torch.tensor([0, 1]))


def test_complement_entropy_pulls_the_wrong_classes_together():
    """The paper's direction; the released sign pushes them apart."""
    logits, targets = torch.tensor([[2.0, 1.0, -1.0]], dtype=torch.float64), torch.tensor([0])
    spread = torch.tensor(
        [[2.0, 0.31, 0.31]], dtype=torch.float64
    )  # nearly the same p_y, equal wrong classes
    paper, official = ComplementCrossEntropyLoss(), ComplementCrossEntropyLoss(variant="official")
    plain = CrossEntropyLoss()
    assert (paper(spread, targets) - plain(spread, targets)) < (
        paper(logits, targets) - plain(logits, targets)
    )
    assert (official(spread, targets) - plain(spread, targets)) > (
        official(logits, targets) - plain(logits, targets)
    )


def test_two_classes_have_no_complement_entropy():
    logits, targets = torch.tensor([[2.0, 1.0]], dtype=torch.float64), torch.tensor([0])
    equal(ComplementCrossEntropyLoss()(logits, targets), cross_entropy(logits, targets))


def test_unfocused_sigmoid_losses_are_binary_cross_entropy(logits, targets):
    one_hot = torch.nn.functional.one_hot(targets, 5).double()
    expected = (
        torch.nn.functional.binary_cross_entropy_with_logits(logits, one_hot, reduction="none").sum(1).mean()
    )
    asl = AsymmetricLoss(gamma_positive=0, gamma_negative=0, clip=0)
    apl = AsymmetricPolynomialLoss(gamma_negative=0, clip=0, epsilon_1=0, epsilon_2=0)
    cb = ClassBalancedLoss([1] * 5, likelihood="sigmoid")
    focal = ClassBalancedLoss([1] * 5, likelihood="focal", gamma=0)
    for loss in (asl, apl, cb, focal, BinaryCrossEntropyLoss(), SigmoidFocalLoss(gamma=0)):
        equal(loss(logits, targets), expected)


def test_sigmoid_focal_weights_positives_and_negatives():
    logits = torch.tensor([[0.3, -1.2]], dtype=torch.float64)
    positives, negatives = torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 0.0]])
    weighted = SigmoidFocalLoss(gamma=0.5, alpha_positive=0.25, alpha_negative=0.75)
    p = logits.sigmoid()
    equal(weighted(logits, positives), -(0.25 * (1 - p).sqrt() * p.log()).sum())
    equal(weighted(logits, negatives), -(0.75 * p.sqrt() * (1 - p).log()).sum())


def test_hill_hardly_pulls_at_the_most_certain_negatives():
    logits = torch.tensor([[-4.0], [1.0], [8.0]], dtype=torch.float64, requires_grad=True)
    HillLoss(reduction="sum")(logits, torch.zeros(3, 1)).backward()
    assert logits.grad is not None
    small, large, wrong = logits.grad[:, 0].tolist()
    assert large > 20 * small and large > 100 * wrong > 0


def test_the_weighting_of_a_sum_is_that_of_its_cross_entropy(logits, targets):
    counts = [50, 20, 10, 5, 1]
    settings = {"weighting": "inverse_frequency"}
    for key, metric in (("ce+soft_f1", SoftF1Loss()), ("ce+soft_mcc", SoftMCCLoss())):
        loss = create_loss(key, class_counts=counts, settings=settings)
        equal(
            loss(logits, targets), WeightedCrossEntropyLoss(counts)(logits, targets) + metric(logits, targets)
        )
        # Weighted cross-entropy stands for the uniform prior, plain cross-entropy for that of training.
        prior = (loss.log_score_prior() + torch.zeros(5, dtype=torch.float64)).softmax(0)
        equal(prior, torch.full((5,), 0.2, dtype=torch.float64))


def test_alpa_has_its_closed_form():
    logits = torch.linspace(-6, 6, 25, dtype=torch.float64)[:, None]
    p = logits[:, 0].sigmoid()
    for clip in (0.0, 0.05):
        loss = PadeAsymmetricLoss(clip=clip, reduction="none")
        equal(loss(logits, torch.ones_like(logits)), 1.3125 * (1 - p))
        equal(loss(logits, torch.zeros_like(logits)), 1.625 * p**4 * (p - clip).clamp_min(0) ** 5)


def test_alpa_gradient_of_a_badly_wrong_positive_vanishes():
    """Reported, not hidden: -1.3125·p(1-p) in the logit."""
    logits = torch.tensor([[-10.0]], dtype=torch.float64, requires_grad=True)
    PadeAsymmetricLoss()(logits, torch.ones(1, 1)).backward()
    assert -1e-4 < logits.grad.item() < 0
    asl = torch.tensor([[-10.0]], dtype=torch.float64, requires_grad=True)
    AsymmetricLoss(gamma_positive=0)(asl, torch.ones(1, 1)).backward()
    assert asl.grad.item() < -0.99


def test_alpa_true_approximant_touches_the_logarithm_to_third_order():
    for p in (0.9, 0.99):
        logits = torch.tensor([[math.log(p / (1 - p))]], dtype=torch.float64)
        settings = {"alpha": 1.0, "beta": 1.0, "gamma_negative": 0.0}
        true = PadeAsymmetricLoss(approximant="pade_1_1", **settings)(logits, torch.ones(1, 1)).item()
        printed = PadeAsymmetricLoss(**settings)(logits, torch.ones(1, 1)).item()
        assert true == pytest.approx(2 * (1 - p) / (1 + p))
        assert abs(true + math.log(p)) < (1 - p) ** 3
        assert abs(printed + math.log(p)) > abs(true + math.log(p))
    by_hand = PadeAsymmetricLoss(coefficients=((-2, 2, 1), (-2, 2, 1)), **settings)
    assert by_hand(logits, torch.ones(1, 1)).item() == pytest.approx(true)


def test_alpa_hill_term_costs_wrong_negatives_more():
    logits = torch.linspace(-3, 3, 13, dtype=torch.float64)[:, None]
    negatives = torch.zeros_like(logits)
    plain = PadeAsymmetricLoss(reduction="none")(logits, negatives)
    hill = PadeAsymmetricLoss(hill=1.5, reduction="none")(logits, negatives)
    p = logits[:, 0].sigmoid()
    equal(hill - plain, 1.625 * p**8 * 1.5 * p)


def test_soft_metrics_are_the_metrics_when_probabilities_are_certain(targets):
    from sklearn.metrics import f1_score, matthews_corrcoef

    decisions = torch.tensor([0, 0, 0, 1, 2, 1, 1, 2, 2, 0, 3, 4])
    logits = 200 * torch.nn.functional.one_hot(decisions, 5).double()
    f1 = f1_score(targets, decisions, average="macro")
    assert 1 - SoftF1Loss()(logits, targets).item() == pytest.approx(f1)
    mcc = matthews_corrcoef(targets, decisions)
    assert 1 - SoftMCCLoss()(logits, targets).item() == pytest.approx(mcc)
    one_vs_rest = np.mean([matthews_corrcoef(targets == c, decisions == c) for c in range(5)])
    assert 1 - SoftMCCLoss(average="macro")(logits, targets).item() == pytest.approx(one_vs_rest)


def test_binary_macro_mcc_is_the_multiclass_one(logits):
    logits, targets = logits[:, :2], torch.tensor([0, 1] * 6)
    equal(SoftMCCLoss(average="macro")(logits, targets), SoftMCCLoss()(logits, targets))


def test_an_absent_class_scores_zero_or_is_skipped(logits):
    targets = torch.tensor([0, 1, 2] * 4)  # classes 3 and 4 are absent
    zero, skip = SoftF1Loss()(logits, targets), SoftF1Loss(absent="skip")(logits, targets)
    equal((1 - zero) * 5, (1 - skip) * 3)


def test_weighted_sum(logits, targets):
    f1 = SoftF1Loss()
    total = WeightedSumLoss([(CrossEntropyLoss(class_counts=COUNTS), 0.5), (f1, 2.0)])
    equal(total(logits, targets), 0.5 * cross_entropy(logits, targets) + 2 * f1(logits, targets))
    assert total.uses_batch_statistics
    with pytest.raises(InputError, match="all losses expecting the same outputs, got CrossEntropyLoss"):
        WeightedSumLoss([(CrossEntropyLoss(), 1.0), (ArcFaceLoss(), 1.0)])
    with pytest.raises(InputError, match="got none"):
        WeightedSumLoss([])


def test_score_priors():
    """What trained scores stand for, by composition."""
    prior = np.array(COUNTS) / sum(COUNTS)

    def score_prior(loss):
        return (loss.log_score_prior() + torch.zeros(5)).softmax(0).numpy()

    uniform = np.full(5, 0.2)
    np.testing.assert_allclose(score_prior(CrossEntropyLoss(class_counts=COUNTS)), prior)
    np.testing.assert_allclose(score_prior(LogitAdjustedLoss(COUNTS)), uniform)
    np.testing.assert_allclose(
        score_prior(LogitAdjustedLoss(COUNTS, tau=0.5)), prior**0.5 / (prior**0.5).sum()
    )
    np.testing.assert_allclose(score_prior(WeightedCrossEntropyLoss(COUNTS)), uniform)
    np.testing.assert_allclose(score_prior(DynamicAngularLoss()), uniform)
    weights = functional.effective_number_weights(COUNTS, 0.9999).numpy()
    expected = prior * weights / (prior * weights).sum()
    np.testing.assert_allclose(score_prior(ClassBalancedLoss(COUNTS)), expected)


def test_bayes_optimal_scores_recover_the_posterior_under_any_prior():
    """Scores fitted on 90:10 data and moved to 50:50 are the posterior of balanced data."""
    likelihood = torch.tensor([[0.7, 0.2], [0.1, 0.6]], dtype=torch.float64)  # p(x | c), rows are x
    training = torch.tensor([0.9, 0.1], dtype=torch.float64)
    counts = [900, 100]
    balanced = likelihood / likelihood.sum(1, keepdim=True)
    fitted_ce = (likelihood * training).log()
    torch.testing.assert_close(
        CrossEntropyLoss(class_counts=counts).probabilities(fitted_ce, [1, 1]), balanced
    )
    fitted_balanced = likelihood.log()
    torch.testing.assert_close(
        LogitAdjustedLoss(counts).probabilities(fitted_balanced, training),
        (likelihood * training) / (likelihood * training).sum(1, keepdim=True),
    )


@pytest.mark.parametrize("name", LOSSES)
def test_no_sample_costs_nothing(name: str) -> None:
    loss = create_loss(name, class_counts=[50, 20, 5, 3], settings={}, num_epochs=3)
    outputs = torch.zeros(0, 4, requires_grad=True)
    value = loss(outputs, torch.zeros(0, dtype=torch.int64))
    value.backward()
    assert value.item() == 0


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [1e38, -1e38])
def test_logits_at_the_end_of_single_precision_stay_finite(name: str, size: float) -> None:
    loss = create_loss(name, class_counts=[50, 20, 5, 3], settings={}, num_epochs=3)
    if loss.expects == "cosines":
        pytest.skip("cosines lie in [-1, 1]")
    outputs = (torch.eye(4) * size).requires_grad_()
    value = loss(outputs, torch.arange(4))
    value.backward()
    assert value.isfinite() and outputs.grad is not None and outputs.grad.isfinite().all()


def test_arrays_are_refused() -> None:
    loss = create_loss("ce", class_counts=[50, 20], settings={}, num_epochs=3)
    with pytest.raises(InputError, match=r"torch\.as_tensor\(outputs\)"):
        loss(np.zeros((2, 2)), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(InputError):
        loss(torch.zeros(2, 2), np.zeros(2, dtype=int))
