"""What a loss takes as targets: the table in the documentation, and the value of every form."""

import inspect
from pathlib import Path

import pytest
import torch
from torch._subclasses import FakeTensorMode

from medtail.errors import InputError
from medtail.losses import (
    COMPOSITIONS,
    AsymmetricLoss,
    CrossEntropyLoss,
    FocalLoss,
    WeightedSumLoss,
    create_loss,
)
from medtail.losses.catalogue import LOSSES, multi_label_losses, takes_setting
from references.targets import COUNTS, IDS, TARGET_FORMS, build, main, measure, mixed, one_hot, outputs, table

DOCUMENT = Path(__file__).parents[3] / "docs" / "targets.md"

#: Losses of single samples that take class probabilities.
EXPECTATIONS = [
    key
    for key in LOSSES
    if not build(key).needs_one_class and "reduction" in inspect.signature(LOSSES[key]).parameters
]


def test_document_is_up_to_date_and_without_a_hole():
    text = table()
    assert DOCUMENT.read_text(encoding="utf-8") == text, (
        "run python tests/references/targets.py --write docs/targets.md"
    )
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(COMPOSITIONS)
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
        assert len(cells) == len(TARGET_FORMS)
        assert all(cell == "✓" or cell.startswith("refused (") for cell in cells), row


def test_command_writes_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["targets", "--write", str(tmp_path / "targets.md")])
    main()
    assert (tmp_path / "targets.md").read_text(encoding="utf-8").startswith("# Targets")


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_every_loss_takes_class_ids_alone_and_in_a_column(composition):
    assert measure(composition, TARGET_FORMS["ids"]) == "taken"
    assert torch.equal(build(composition)(outputs(), IDS), build(composition)(outputs(), IDS[:, None]))


@pytest.mark.parametrize("value", [-100, -1, 255])
@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_every_loss_refuses_an_id_that_is_no_class(composition, value):
    targets = IDS.index_fill(0, torch.tensor([3]), value)
    with pytest.raises(InputError, match=f"targets must be class ids from 0 to 4, got {value}; "):
        build(composition)(outputs(), targets)


def test_a_column_that_is_no_id_is_refused_with_the_remedy():
    with pytest.raises(InputError, match=r"call targets\.squeeze\(1\)\.long\(\)"):
        CrossEntropyLoss()(outputs(), IDS[:, None].double())
    # With one output, a column holds labels.
    value = AsymmetricLoss()(torch.zeros(2, 1), torch.tensor([[1], [0]]))
    assert value == AsymmetricLoss()(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]]))


@pytest.mark.parametrize("key", EXPECTATIONS)
def test_class_probabilities_give_the_expected_loss(key):
    loss = create_loss(key, class_counts=COUNTS, settings={"reduction": "none"})
    ids = loss(outputs(), IDS)
    torch.testing.assert_close(loss(outputs(), one_hot(IDS).double()), ids, rtol=1e-12, atol=1e-12)
    expected = 0.7 * ids + 0.3 * loss(outputs(), IDS.roll(1))
    torch.testing.assert_close(loss(outputs(), mixed(IDS)), expected, rtol=1e-12, atol=1e-12)
    settings = {"detach_focusing": False} if takes_setting(key, "detach_focusing") else {}
    whole = create_loss(key, class_counts=COUNTS, settings=settings)
    assert torch.autograd.gradcheck(lambda scores: whole(scores, mixed(IDS)), outputs(), atol=1e-5)


def test_soft_metrics_of_certain_rows_are_those_of_ids():
    for key in ("soft_f1", "soft_mcc", "ce+soft_f1", "ce+soft_mcc"):
        certain = build(key)(outputs(), one_hot(IDS).double())
        torch.testing.assert_close(certain, build(key)(outputs(), IDS), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "weighted_mean", "sum", "none"])
def test_class_probabilities_are_reduced_as_ids_are(reduction):
    loss = create_loss("weighted_ce", class_counts=COUNTS, settings={"reduction": reduction})
    torch.testing.assert_close(loss(outputs(), one_hot(IDS).double()), loss(outputs(), IDS))


@pytest.mark.parametrize("key", multi_label_losses())
def test_labels_in_between_mix_the_losses_of_both(key):
    labels = one_hot(IDS).double()
    value = [
        build(key)(outputs(), labels.index_fill(1, torch.tensor([2]), label)) for label in (0.0, 1.0, 0.3)
    ]
    torch.testing.assert_close(value[2], 0.7 * value[0] + 0.3 * value[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "weighted_mean", "sum", "none"])
@pytest.mark.parametrize("key", multi_label_losses())
def test_unknown_labels_have_no_part_in_value_and_gradient(key, reduction):
    unknown = torch.zeros(IDS.shape[0], len(COUNTS), dtype=torch.bool)
    unknown[0, 1] = unknown[0, 2] = unknown[4, 0] = True
    unknown[6] = True
    labels = one_hot(IDS).double()
    scores = outputs()
    loss = create_loss(
        key, class_counts=COUNTS, settings={"reduction": reduction}, unknown_labels="leave_out"
    )
    value = loss(scores, labels.masked_fill(unknown, torch.nan))
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    assert bool(gradient[~unknown].abs().gt(0).any()) and not bool(gradient[unknown].any())
    assert bool(gradient.isfinite().all())

    alone = LOSSES[key](reduction="none")
    columns = zip(scores.detach().split(1, dim=1), labels.split(1, dim=1), strict=True)
    each = torch.stack([alone(*column) for column in columns], 1).masked_fill(unknown, 0)
    mean = each.sum() / ((~unknown).sum() / len(COUNTS))
    expected = {"mean": mean, "weighted_mean": mean, "sum": each.sum(), "none": each.sum(1)}[reduction]
    torch.testing.assert_close(value.detach(), expected)


def test_a_batch_without_a_known_label_costs_nothing():
    scores = outputs()
    leaves_out = AsymmetricLoss(unknown_labels="leave_out")
    value = leaves_out(scores, torch.full_like(scores, torch.nan).detach())
    (gradient,) = torch.autograd.grad(value, scores)
    assert value == 0
    assert not bool(gradient.any())


@pytest.mark.parametrize("value", [-1.0, 255.0, torch.inf])
def test_what_is_no_probability_is_refused(value):
    labels = one_hot(IDS).double().index_fill(0, torch.tensor([2]), value)
    with pytest.raises(InputError, match=f"a probability in between for each label, got {value:g}; "):
        AsymmetricLoss()(outputs(), labels)
    with pytest.raises(InputError, match=f"NaN where a label is unknown, got {value:g}; "):
        AsymmetricLoss(unknown_labels="leave_out")(outputs(), labels)
    with pytest.raises(InputError, match=rf"class probabilities in \[0, 1\], got {value:g}; "):
        CrossEntropyLoss()(outputs(), labels)
    with pytest.raises(InputError, match="must sum to 1 per row, got 0; divide each row by its sum"):
        CrossEntropyLoss()(outputs(), torch.zeros_like(labels))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_probabilities_may_be_rounded(dtype):
    smoothed = (0.9 * one_hot(IDS) + 0.1 / len(COUNTS)).to(dtype)
    value = CrossEntropyLoss()(outputs(), smoothed)
    torch.testing.assert_close(value, CrossEntropyLoss()(outputs(), smoothed.double()), rtol=1e-2, atol=0)


def test_mixup_and_cutmix_of_torchvision_and_timm_work():
    from timm.data import Mixup
    from torchvision.transforms import v2

    torch.manual_seed(0)
    images = torch.rand(len(IDS), 3, 8, 8)
    mixes = [v2.MixUp(num_classes=5), v2.CutMix(num_classes=5), Mixup(num_classes=5, label_smoothing=0.1)]
    for mix in mixes:
        _, targets = mix(images, IDS)
        expected = torch.nn.functional.cross_entropy(outputs(), targets.double())
        torch.testing.assert_close(CrossEntropyLoss()(outputs(), targets), expected)


def test_a_sum_takes_what_all_of_its_terms_take():
    assert WeightedSumLoss([(CrossEntropyLoss(), 1.0), (build("complement_ce"), 1.0)]).needs_one_class
    both = WeightedSumLoss([(CrossEntropyLoss(), 1.0), (FocalLoss(), 2.0)])
    terms = CrossEntropyLoss()(outputs(), mixed(IDS)) + 2 * FocalLoss()(outputs(), mixed(IDS))
    torch.testing.assert_close(both(outputs(), mixed(IDS)), terms)


@pytest.mark.parametrize("key", multi_label_losses())
def test_an_unknown_label_is_refused_unless_it_is_to_be_left_out(key):
    labels = TARGET_FORMS["NaN"].make(IDS)
    with pytest.raises(InputError, match=r'got nan; if NaN marks .* with unknown_labels="leave_out"'):
        build(key)(outputs(), labels)
    with pytest.raises(InputError, match="unknown_labels must be one of refuse, leave_out, got 'skip'"):
        LOSSES[key](unknown_labels="skip")
    term = LOSSES[key](unknown_labels="leave_out")
    assert torch.equal(WeightedSumLoss([(term, 1.0)])(outputs(), labels), term(outputs(), labels))


def bare(composition):
    """A loss that knows no class counts, and so holds no tensor."""
    key, settings = COMPOSITIONS[composition]
    return LOSSES[key](**settings)


FORMS = [("focal", "probabilities"), ("asl, unknown labels", "NaN")]


@pytest.mark.parametrize(("composition", "form"), FORMS)
def test_no_value_is_read_on_the_host(composition, form):
    targets = TARGET_FORMS[form].make(IDS)
    loss = bare(composition)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        scores = torch.empty(len(IDS), len(COUNTS), requires_grad=True)
        loss(scores, mode.from_tensor(targets)).backward()
        assert scores.grad.shape == scores.shape


@pytest.mark.parametrize(("composition", "form"), FORMS)
def test_compiles_to_one_graph_that_still_refuses(composition, form):
    torch._dynamo.reset()
    loss, targets = bare(composition), TARGET_FORMS[form].make(IDS)
    compiled = torch.compile(bare(composition), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(outputs(), targets), loss(outputs(), targets))
    with pytest.raises(RuntimeError, match="targets must be"):
        compiled(outputs(), targets.nan_to_num() + 255)


# ---------------------------------------------------------------------------------------------- outputs


@pytest.mark.parametrize("key", [key for key in LOSSES if build(key).expects == "cosines"])
def test_the_first_call_refuses_logits_where_cosines_are_expected(key):
    loss = build(key)
    logits = torch.full((8, 5), 7.25)
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"cosines in \[-1, 1\] for .*, got 7.25; use .*CosineClassifier"
        ):
            loss(logits, IDS)
    loss(outputs(), IDS)
    loss(logits, IDS)  # later calls do not wait for the device
    loss.set_epoch(1)
    with pytest.raises(InputError, match="must be cosines"):
        loss(logits, IDS)


def test_cosines_may_be_rounded_and_logits_have_any_size():
    build("arcface")(torch.full((8, 5), 1.006, dtype=torch.bfloat16), IDS)
    CrossEntropyLoss()(torch.full((8, 5), 1e4), IDS)


# ---------------------------------------------------------------------------------------------- scales


@pytest.mark.parametrize("composition", ["adacos", "dal, auto"])
@pytest.mark.parametrize("bad", ["nan", "inf", "empty"])
def test_a_batch_that_is_empty_or_not_finite_leaves_the_scale_alone(composition, bad):
    loss, good = build(composition), outputs().detach() / 3
    loss(good, IDS)
    state = {name: value.clone() for name, value in loss.state_dict().items()}
    scores, targets = good.clone(), IDS
    if bad == "empty":
        scores, targets = scores[:0], targets[:0]
    else:
        scores[3, 1] = float(bad)
    loss(scores, targets)
    for name, value in loss.state_dict().items():
        assert torch.equal(value, state[name]), name
    loss(good, IDS)
    loss.set_epoch(1)
    assert bool(loss.scale.value.isfinite())
