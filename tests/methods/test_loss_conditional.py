"""Loss-conditional training: which λ, where it goes, and what is refused."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from medtail.backbones import create_backbone
from medtail.errors import InputError
from medtail.heads import CosineClassifier, FiLM, LinearHead
from medtail.losses import DifficultyAwareMarginLoss, DynamicAngularLoss, FocalLoss, VectorScalingLoss
from medtail.methods import LinearDensity, LossConditional, Supervised, create_family
from medtail.modulation import NoModulation

COUNTS = [60, 30, 10]
GAMMA, TAU = LinearDensity(0, 0.3, 3.3), LinearDensity(0, 3, 0.33)


def vector_scaling(**settings) -> LossConditional:
    torch.manual_seed(0)
    return LossConditional(
        create_backbone("resnet8"),
        LinearHead(64, 3),
        partial(VectorScalingLoss, COUNTS),
        {"gamma": GAMMA, "tau": TAU},
        **settings,
    )


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"image": torch.randn(8, 3, 16, 16, generator=generator), "target": torch.arange(8) % 3}


def test_the_loss_of_a_step_is_that_of_its_condition(batch) -> None:
    method = vector_scaling(film="plain").train()
    method.set_step(5)
    step = method(batch)
    condition = method.drawn_condition(5)
    loss = VectorScalingLoss(COUNTS, **condition)
    features = method.features(batch["image"])
    outputs = method.head(method.modulation(features, torch.tensor([condition["gamma"], condition["tau"]])))
    torch.testing.assert_close(step.outputs, outputs)
    torch.testing.assert_close(step.loss, loss(outputs, batch["target"]))
    assert {name: value.item() for name, value in step.terms.items()} == pytest.approx(
        {"drawn_gamma": condition["gamma"], "drawn_tau": condition["tau"]}
    )


def test_a_condition_depends_on_seed_and_step_alone(batch) -> None:
    one, other = vector_scaling(seed=3), vector_scaling(seed=3)
    one.set_step(0)
    torch.manual_seed(7)
    one(batch)
    conditions = [one.drawn_condition(step) for step in range(50)]
    assert conditions == [other.drawn_condition(step) for step in range(50)]
    assert len({condition["tau"] for condition in conditions}) == 50
    assert conditions[0] != vector_scaling(seed=4).drawn_condition(0)


def test_both_passes_of_a_step_draw_the_same(batch) -> None:
    method = vector_scaling().train()
    method.set_step(2)
    first, second = method(batch), method(batch)
    assert {name: value.item() for name, value in first.terms.items()} == {
        name: value.item() for name, value in second.terms.items()
    }


def test_drawing_leaves_the_global_generator_alone() -> None:
    method = vector_scaling()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    method.drawn_condition(1)
    assert torch.equal(torch.rand(3), expected)


def test_draws_of_the_parameters_follow_their_densities_and_are_independent() -> None:
    method = vector_scaling()
    draws = np.array([list(method.drawn_condition(step).values()) for step in range(3000)])
    np.testing.assert_allclose(draws.mean(axis=0), [GAMMA.mean, TAU.mean], rtol=0.04)
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.06


def test_with_identity_film_at_the_start_it_predicts_what_supervised_would(batch) -> None:
    method = vector_scaling().eval()
    plain = Supervised(method.backbone, method.head, VectorScalingLoss(COUNTS, gamma=0.0, tau=1.0)).eval()
    assert torch.equal(method.predict(batch["image"]), plain.predict(batch["image"]))
    assert torch.equal(method.embed(batch["image"]), plain.embed(batch["image"]))


def test_every_parameter_is_trained(batch) -> None:
    method = vector_scaling().train()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    for step in range(2):  # identity initialisation lets no gradient into FiLM's first layers before one step
        optimizer.zero_grad()
        method.set_step(step)
        method(batch).loss.backward()
        optimizer.step()
    assert all(parameter.grad.abs().sum() > 0 for parameter in method.parameters())


def test_film_tells_conditions_apart_and_its_absence_does_not(batch) -> None:
    low, high = {"gamma": 0.0, "tau": 0.0}, {"gamma": 0.3, "tau": 3.0}
    for film, kind in [("plain", FiLM), ("none", NoModulation)]:
        method = vector_scaling(film=film).eval()
        assert isinstance(method.modulation, kind)
        features = method.features(batch["image"])
        outputs = [method.predict_features(features, condition) for condition in (low, high)]
        assert torch.equal(*outputs) == (film == "none")


def test_film_can_modulate_the_logits(batch) -> None:
    method = vector_scaling(film="plain", film_position="logits").eval()
    features, condition = method.features(batch["image"]), {"gamma": 0.2, "tau": 1.5}
    logits = method.head(features)
    expected = method.logit_modulation(logits, torch.tensor([0.2, 1.5]))
    assert not torch.allclose(expected, logits)
    torch.testing.assert_close(method.predict_features(features, condition), expected)
    torch.testing.assert_close(method.embed_features(features), features)
    # Two networks 2 → 128 → 3.
    assert sum(p.numel() for p in method.logit_modulation.parameters()) == 2 * (3 * 128 + 129 * 3)


def test_film_does_not_modulate_cosines() -> None:
    family = partial(DifficultyAwareMarginLoss, COUNTS)
    with pytest.raises(InputError, match="film_position must be features for a head that emits cosines"):
        LossConditional(
            create_backbone("resnet8"),
            CosineClassifier(64, 3),
            family,
            {"max_margin": LinearDensity(0, 0.3, 3.3)},
            film_position="logits",
        )
    with pytest.raises(InputError, match="film_position must be one of features, logits, got 'head'"):
        vector_scaling(film_position="head")


def test_evaluation_uses_the_default_until_told(batch) -> None:
    method = vector_scaling(film="plain").eval()
    assert dict(method.condition) == {"gamma": GAMMA.mean, "tau": TAU.mean}
    outputs = method.predict(batch["image"])
    features = method.features(batch["image"])
    other = {"tau": 1.0, "gamma": 0.1}
    torch.testing.assert_close(method(batch).loss, method.evaluate(outputs, batch["target"]))
    expected = VectorScalingLoss(COUNTS, gamma=0.1, tau=1.0)

    method.set_condition(other)
    assert dict(method.condition) == other
    assert torch.equal(method.predict(batch["image"]), method.predict_features(features, other))
    assert not torch.equal(method.predict(batch["image"]), outputs)
    assert method.evaluate(outputs, batch["target"]).item() == expected(outputs, batch["target"]).item()
    prior = torch.ones(3)
    assert torch.equal(method.probabilities(outputs, prior), expected.probabilities(outputs, prior))


def test_a_default_may_be_given_in_part() -> None:
    assert dict(vector_scaling(default={"tau": 1.0}).condition) == {"gamma": GAMMA.mean, "tau": 1.0}


def test_the_checkpoint_holds_weights_and_nothing_of_the_losses() -> None:
    method = vector_scaling()
    assert {name.split(".")[0] for name in method.state_dict()} == {"backbone", "head", "modulation"}


def test_a_frozen_backbone_leaves_film_and_head_to_train(batch) -> None:
    method = vector_scaling().train()
    method.freeze_backbone(True)
    method.set_step(0)
    method(batch).loss.backward()
    assert all(parameter.grad is None for parameter in method.backbone.parameters())
    assert all(parameter.grad is not None for parameter in method.modulation.parameters())
    assert not method.backbone.training and method.train().modulation.training


@pytest.mark.parametrize("scale", [2.0, 8.0])
def test_a_family_of_cosine_losses_reports_its_scale_at_the_condition(scale: float) -> None:
    method = LossConditional(
        create_backbone("resnet8"),
        CosineClassifier(64, 3),
        DynamicAngularLoss,
        {"scale": LinearDensity(2, 8, 0.1)},
    )
    method.set_condition({"scale": scale})
    assert method.cosine_scale() == scale


def test_a_new_loss_in_every_step_reads_no_outputs_on_the_host() -> None:
    family = create_family("dal", class_counts=COUNTS)
    method = LossConditional(
        create_backbone("resnet8"), CosineClassifier(64, 3), family, {"scale": LinearDensity(2, 6, 0.25)}
    )
    assert family(scale=4.0).outputs_are_checked is False
    assert method.loss_at({"scale": 4.0}).outputs_are_checked is True


def test_schedules_of_the_losses_know_the_epoch() -> None:
    settings = {"weighting": {"name": "deferred", "start": 0.6}, "reduction": "weighted_mean"}
    family = create_family("dbm", class_counts=COUNTS, settings=settings, num_epochs=5)
    method = LossConditional(
        create_backbone("resnet8"), CosineClassifier(64, 3), family, {"tau": LinearDensity(0, 1, 1)}
    )
    cosines, targets = torch.tensor([[0.1, 0.2, 0.3]] * 3), torch.arange(3)
    before = method.loss_at({"tau": 0.5})(cosines, targets)
    method.set_epoch(3)
    assert method.loss_at({"tau": 0.5})(cosines, targets) != before
    assert method.evaluate(cosines, targets) == method.loss_at(method.condition)(cosines, targets)


def test_training_without_a_step_is_refused(batch) -> None:
    with pytest.raises(InputError, match=r"must be told the training step, got none; call set_step\(step\)"):
        vector_scaling().train()(batch)


REFUSED = {
    "unknown name": (
        partial(VectorScalingLoss, COUNTS),
        {"gama": GAMMA},
        r"distributions must name parameters of the loss \(.*gamma, tau.*\), got 'gama'; did you mean gamma",
    ),
    "illegal corner": (
        partial(VectorScalingLoss, COUNTS),
        {"gamma": LinearDensity(-0.1, 0.3, 1), "tau": TAU},
        r"only values the loss takes, got gamma=-0.1, tau=0: gamma must be a number in \[0, inf\)",
    ),
    "corner of two": (
        DynamicAngularLoss,
        {"min_margin": LinearDensity(0, 0.3, 1), "max_margin": LinearDensity(0.1, 0.5, 1)},
        r"got min_margin=0.3, max_margin=0.1: max_margin must be a number in \[0.3",
    ),
    "no name": (
        partial(VectorScalingLoss, COUNTS),
        {},
        "distributions must name at least one parameter",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_distributions_the_loss_cannot_take_are_refused(case: str) -> None:
    family, distributions, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        LossConditional(create_backbone("resnet8"), LinearHead(64, 3), family, distributions)


def test_losses_with_state_are_refused() -> None:
    family = create_family("dal", class_counts=COUNTS, settings={"scale": "auto"})
    distributions = {"max_margin": LinearDensity(0, 0.3, 1)}
    with pytest.raises(InputError, match=r"losses without state, DynamicAngularLoss keeps scale\.value"):
        LossConditional(create_backbone("resnet8"), CosineClassifier(64, 3), family, distributions)


def test_head_and_family_must_fit() -> None:
    with pytest.raises(InputError, match="DynamicAngularLoss expects cosines, LinearHead emits logits"):
        LossConditional(
            create_backbone("resnet8"),
            LinearHead(64, 3),
            DynamicAngularLoss,
            {"scale": LinearDensity(2, 8, 0.1)},
        )


@pytest.mark.parametrize(
    "condition", [{"gamma": 0.1}, {"gamma": 0.1, "tau": 1.0, "phi": 1.0}, {}, {"gamma": 0.1, "alpha": 1.0}]
)
def test_a_condition_names_every_parameter_and_no_other(condition) -> None:
    method = vector_scaling()
    with pytest.raises(InputError, match="condition must give a value to each of gamma, tau"):
        method.set_condition(condition)
    assert dict(method.condition) == {"gamma": GAMMA.mean, "tau": TAU.mean}


def test_an_illegal_condition_changes_nothing() -> None:
    method = vector_scaling()
    with pytest.raises(InputError, match="tau must be a number in"):
        method.set_condition({"gamma": 0.1, "tau": -1.0})
    assert dict(method.condition) == {"gamma": GAMMA.mean, "tau": TAU.mean}


def test_a_backbone_must_say_how_many_features_it_gives() -> None:
    with pytest.raises(InputError, match="Flatten has no num_features"):
        LossConditional(nn.Flatten(), LinearHead(12, 2), FocalLoss, {"gamma": LinearDensity(0, 3, 0.33)})


@pytest.mark.parametrize("film", ["identiy", ""])
def test_an_unknown_film_is_refused(film: str) -> None:
    with pytest.raises(InputError, match="film must be one of identity, plain, none"):
        vector_scaling(film=film)
