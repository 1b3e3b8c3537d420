"""Parity with values and gradients printed by the authors' own functions, float64, to 1e-10."""

import numpy as np
import pytest
import torch

from medtail.losses import (
    LOSSES,
    AdaCosLoss,
    AdaptivelyWeightedBalancedLoss,
    AsymmetricLoss,
    AsymmetricPolynomialLoss,
    AsymmetricSoftmaxLoss,
    BalancedSoftmaxLoss,
    ClassBalancedLoss,
    ComplementCrossEntropyLoss,
    CrossEntropyLoss,
    DeferredWeighting,
    DifficultyAwareMarginLoss,
    FocalLoss,
    LDAMLoss,
    PadeAsymmetricLoss,
    SoftF1Loss,
    SoftMCCLoss,
    VectorScalingLoss,
    WeightedSumLoss,
    functional,
)

COUNTS = {"C2": [900, 100], "C7": [6705, 1113, 1099, 514, 327, 142, 115]}


def late(size):
    """DRW after its switch at epoch 160."""
    weighting = DeferredWeighting(COUNTS[size])
    weighting.set_epoch(160)
    return weighting


def early(size):
    weighting = DeferredWeighting(COUNTS[size])
    weighting.set_epoch(159)
    return weighting


class Case:
    """One entry of an oracle file: how to build the loss for a size, and the input it takes."""

    def __init__(self, file, entry, build, outputs="logits", targets="labels"):
        self.file, self.entry, self.build, self.outputs, self.targets = file, entry, build, outputs, targets

    def __repr__(self):
        return f"{self.file}-{self.entry}"


def ldam_cases():
    yield Case("ldam", "noweight", lambda size: LDAMLoss(COUNTS[size]), "cos")
    yield Case(
        "ldam",
        "drw9999",
        lambda size: LDAMLoss(COUNTS[size], weighting=late(size), reduction="weighted_mean"),
        "cos",
    )


def focal_cases():
    for gamma in (0, 1, 2):
        yield Case("focal_ldamrepo", f"g{gamma}", lambda size, gamma=gamma: FocalLoss(gamma=gamma))


def class_balanced_cases():
    for beta in (0.99, 0.999, 0.9999):
        forms = {
            "TFsoftmax": {},
            "TFsigmoid": {"likelihood": "sigmoid"},
            **{f"focal{gamma}": {"likelihood": "focal", "gamma": gamma} for gamma in (0, 1, 2)},
            "torchweightedCE": {"reduction": "weighted_mean"},
        }
        for name, form in forms.items():
            yield Case(
                "cb",
                f"b{beta}_{name}",
                lambda size, beta=beta, form=form: ClassBalancedLoss(COUNTS[size], beta=beta, **form),
            )


def prior_cases():
    for reduction in ("mean", "none", "sum"):
        yield Case(
            "bs",
            reduction,
            lambda size, reduction=reduction: BalancedSoftmaxLoss(COUNTS[size], reduction=reduction),
        )
    for gamma, tau in ((0, 0), (0.3, 1), (0.1, 1), (0, 2), (0, 3), (0.2, 0)):
        yield Case(
            "vs",
            f"g{gamma}_t{tau}",
            lambda size, gamma=gamma, tau=tau: VectorScalingLoss(COUNTS[size], gamma=gamma, tau=tau),
        )


def dbm_cases():
    forms = {
        "K0.1": {},
        "K0.3": {"max_margin": 0.3},
        "K0.1tau0.5": {"power": 0.5},
        "K0.1noinst": {"instance_margin": "none"},
        "nomargin": {"max_margin": 0.0},
        "K0.1s30": {"scale": 30.0},
    }
    for name, form in forms.items():
        yield Case(
            "dbm",
            f"{name}_ce",
            lambda size, form=form: DifficultyAwareMarginLoss(COUNTS[size], **form),
            "cos",
        )
        yield Case("dbm", f"{name}_bs", lambda size, form=form: LOSSES["dbm_bs"](COUNTS[size], **form), "cos")
        for epoch, weighting in (("159", early), ("160", late)):
            yield Case(
                "dbm",
                f"{name}_drw{epoch}",
                lambda size, form=form, weighting=weighting: DifficultyAwareMarginLoss(
                    COUNTS[size], weighting=weighting(size), reduction="weighted_mean", **form
                ),
                "cos",
            )


def sigmoid_cases():
    asl = {
        "default": {},
        "opt": {"detach_focusing": False},
        "nodetach": {"detach_focusing": False},
        "g2_1_clip0": {"gamma_negative": 2, "clip": 0},
    }
    apl = {"default": {}, "nodetach": {"detach_focusing": False}}
    alpa = {
        "default": {"clip": 0.05},
        "v1": {"alpha": 1, "beta": 1, "clip": 0.05},
        "v3_nohill": {"alpha": 1.25, "beta": 2, "gamma_positive": 3, "gamma_negative": 2, "clip": 0.05},
        "clip0": {},
        "gamma0": {"gamma_negative": 0, "clip": 0.05},
        "gamma0_clip0": {"gamma_negative": 0},
        "detachw": {"clip": 0.05, "detach_focusing": True},
    }
    for file, loss, forms in (
        ("asl", AsymmetricLoss, asl),
        ("apl", AsymmetricPolynomialLoss, apl),
        ("alpa", PadeAsymmetricLoss, alpa),
    ):
        for kind, targets in (("onehot", "labels"), ("multi", "multilabel")):
            for name, form in forms.items():
                yield Case(
                    file,
                    f"{kind}_{name}",
                    lambda size, loss=loss, form=form: loss(reduction="sum", **form),
                    targets=targets,
                )
    yield Case("asl", "single_default", lambda size: AsymmetricSoftmaxLoss())
    yield Case("asl", "single_eps0", lambda size: AsymmetricSoftmaxLoss(smoothing=0))
    yield Case("asl", "single_none", lambda size: AsymmetricSoftmaxLoss(smoothing=0, reduction="none"))


def metric_cases():
    def with_cross_entropy(metric):
        return WeightedSumLoss([(CrossEntropyLoss(), 1.0), (metric, 1.0)])

    yield Case("softf1", "tf_multi", lambda size: SoftF1Loss(epsilon=1e-7))
    yield Case("softmcc", "torch_multi", lambda size: SoftMCCLoss(epsilon=1e-8))
    yield Case("softmcc", "tf_multi", lambda size: SoftMCCLoss(epsilon=1e-7))
    yield Case("softmcc", "tf_ce_mcc", lambda size: with_cross_entropy(SoftMCCLoss(epsilon=1e-7)))
    yield Case("softmcc", "macro_binary_eq5", lambda size: SoftMCCLoss(average="macro", epsilon=1e-7))
    yield Case("softf1", "tf_ce_f1", lambda size: with_cross_entropy(SoftF1Loss(epsilon=1e-7)))


def other_cases():
    yield Case("cce", "bf1", lambda size: ComplementCrossEntropyLoss(variant="official"))
    yield Case("cce", "holocron", lambda size: ComplementCrossEntropyLoss())


CASES = [
    case
    for cases in (
        ldam_cases,
        focal_cases,
        class_balanced_cases,
        prior_cases,
        dbm_cases,
        sigmoid_cases,
        metric_cases,
        other_cases,
    )
    for case in cases()
]


def value_and_gradient(loss, outputs, targets):
    outputs = torch.as_tensor(outputs).requires_grad_()
    value = loss(outputs, torch.as_tensor(targets))
    value.sum().backward()
    return value.detach().numpy(), outputs.grad.numpy()


@pytest.mark.parametrize("size", COUNTS)
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_value_and_gradient(oracles, case, size):
    vectors = np.load(oracles / f"{case.file}.npz")
    value, gradient = value_and_gradient(
        case.build(size), vectors[f"{size}_{case.outputs}"], vectors[f"{size}_{case.targets}"]
    )
    np.testing.assert_allclose(
        value, vectors[f"{size}_{case.entry}_loss"].reshape(value.shape), rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(gradient, vectors[f"{size}_{case.entry}_grad"], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", COUNTS)
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_float32(oracles, case, size):
    vectors = np.load(oracles / f"{case.file}.npz")
    value, _ = value_and_gradient(
        case.build(size),
        vectors[f"{size}_{case.outputs}"].astype(np.float32),
        vectors[f"{size}_{case.targets}"],
    )
    np.testing.assert_allclose(
        value, vectors[f"{size}_{case.entry}_loss"].reshape(value.shape), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("size", COUNTS)
def test_awb(oracles, size):
    vectors = np.load(oracles / "awb.npz")
    value, gradient = value_and_gradient(
        AdaptivelyWeightedBalancedLoss(), vectors[f"{size}_logits"], vectors[f"{size}_labels"]
    )
    np.testing.assert_allclose(value, vectors[f"{size}_loss"], atol=1e-10)
    np.testing.assert_allclose(gradient, vectors[f"{size}_grad"], atol=1e-10)


@pytest.mark.parametrize("size", COUNTS)
@pytest.mark.parametrize(("scale", "margin"), [(30, 0.5), (4, 0.2), (4, 0), (8, 0.3)])
def test_arcface_logits_and_loss_down_to_the_features(oracles, size, scale, margin):
    vectors = np.load(oracles / "arcface_adacos.npz")
    labels = torch.as_tensor(vectors[f"{size}_labels"])
    features = torch.as_tensor(vectors[f"{size}_feat"]).requires_grad_()
    weight = torch.as_tensor(vectors[f"{size}_W"]).requires_grad_()
    cosines = torch.nn.functional.linear(
        torch.nn.functional.normalize(features), torch.nn.functional.normalize(weight)
    )
    logits = scale * functional.angular_margin(cosines, labels, float(margin))
    np.testing.assert_allclose(
        logits.detach(), vectors[f"{size}_arc_s{scale}_m{margin}_out"], rtol=1e-10, atol=1e-10
    )
    loss = LOSSES["arcface"](scale=scale, margin=margin)(cosines, labels)
    loss.backward()
    np.testing.assert_allclose(loss.detach(), vectors[f"{size}_arc_s{scale}_m{margin}_celoss"], rtol=1e-10)
    np.testing.assert_allclose(features.grad, vectors[f"{size}_arc_s{scale}_m{margin}_gfeat"], atol=1e-10)
    np.testing.assert_allclose(weight.grad, vectors[f"{size}_arc_s{scale}_m{margin}_gW"], atol=1e-10)


def test_adacos_follows_the_published_trajectory(oracles):
    vectors = np.load(oracles / "arcface_adacos.npz")
    cosines, labels = torch.as_tensor(vectors["C7_cos"]), torch.as_tensor(vectors["C7_labels"])
    loss = AdaCosLoss(7)
    trajectory = [float(loss.scale.value)]
    for _ in range(4):
        loss(cosines, labels)
        trajectory.append(float(loss.scale.value))
    np.testing.assert_allclose(trajectory, vectors["C7_adacos_s_trajectory"], rtol=1e-10)
    np.testing.assert_allclose(loss.scale.sharpen(cosines), vectors["C7_adacos_outs"][-1], rtol=1e-10)


@pytest.mark.parametrize("size", COUNTS)
def test_dbm_margins_and_sample_values(oracles, size):
    vectors = np.load(oracles / "dbm.npz")
    cosines, labels = torch.as_tensor(vectors[f"{size}_cos"]), torch.as_tensor(vectors[f"{size}_labels"])
    for entry, settings in (("K0.1", {}), ("K0.3", {"max_margin": 0.3})):
        loss = DifficultyAwareMarginLoss(COUNTS[size], reduction="none", **settings)
        class_margin = loss.margin.size.class_margin.margins
        np.testing.assert_allclose(class_margin, vectors[f"{size}_{entry}_classmargin"], rtol=1e-12)
        np.testing.assert_allclose(
            loss.scale.sharpen(loss.margin(cosines, labels)),
            vectors[f"{size}_{entry}_adjlogits"],
            rtol=1e-10,
            atol=1e-10,
        )
        np.testing.assert_allclose(loss(cosines, labels), vectors[f"{size}_{entry}_ce_losses"], rtol=1e-10)


@pytest.mark.parametrize("size", COUNTS)
def test_weights_and_margins(oracles, size):
    ldam = np.load(oracles / "ldam.npz")
    np.testing.assert_allclose(
        LDAMLoss(COUNTS[size]).margin.size.margins, ldam[f"{size}_margins"], rtol=1e-12
    )
    np.testing.assert_allclose(late(size).current_weights, ldam[f"{size}_drw_weights"], rtol=1e-11)
    class_balanced = np.load(oracles / "cb.npz")
    for beta in (0.99, 0.999, 0.9999):
        np.testing.assert_allclose(
            functional.effective_number_weights(COUNTS[size], beta),
            class_balanced[f"{size}_b{beta}_weights"],
            rtol=1e-10,
        )
    scaling = np.load(oracles / "vs.npz")
    adjustment = VectorScalingLoss(COUNTS[size]).adjustment
    np.testing.assert_allclose(1 / adjustment.slope, scaling[f"{size}_g0.3_t1_Deltadiv"], rtol=1e-12)
    np.testing.assert_allclose(adjustment.offset, scaling[f"{size}_g0.3_t1_iota"], rtol=1e-12)


def test_alpa_one_element_at_a_time(oracles):
    vectors = np.load(oracles / "alpa.npz")
    for label in (0, 1):
        logits = torch.as_tensor(vectors["scalar_z"])[:, None].requires_grad_()
        loss = PadeAsymmetricLoss(clip=0.05, reduction="none")
        values = loss(logits, torch.full_like(logits, label))
        values.sum().backward()
        np.testing.assert_allclose(values.detach(), vectors[f"scalar_y{label}_loss"], atol=1e-10)
        np.testing.assert_allclose(logits.grad[:, 0], vectors[f"scalar_y{label}_grad"], atol=1e-10)


def test_lct_cross_entropy_weighted_half_is_plain_vector_scaling(oracles):
    vectors = np.load(oracles / "lct.npz")
    counts = vectors["counts"] if "counts" in vectors else np.array([900, 100])
    entries = [name for name in vectors.files if name.startswith("lct_o0.5_") and name.endswith("_loss")]
    assert entries
    for entry in entries:
        gamma, tau = (float(part[1:]) for part in entry.split("_")[2:4])
        loss = VectorScalingLoss(counts, gamma=gamma, tau=tau)
        value, gradient = value_and_gradient(loss, vectors["logits"], vectors["labels"])
        np.testing.assert_allclose(value, vectors[entry], rtol=1e-10)
        np.testing.assert_allclose(gradient, vectors[entry.replace("_loss", "_grad")], atol=1e-10)


def test_released_forms_we_do_not_follow_differ(oracles):
    """The quirks named in docs/papers are real: following the paper gives other numbers than these files."""
    f1 = np.load(oracles / "softf1.npz")
    ours, _ = value_and_gradient(SoftF1Loss(), f1["C7_logits"], f1["C7_labels"])
    assert abs(ours - f1["C7_torchofficial_multi_loss"]) > 0.01
    focal = np.load(oracles / "focal_ldamrepo.npz")
    weighted = FocalLoss(gamma=2.0, alpha=focal["C7_drw_weights"])
    ours, _ = value_and_gradient(weighted, focal["C7_logits"], focal["C7_labels"])
    assert abs(ours - focal["C7_g2_drw_loss"]) > 0.01
