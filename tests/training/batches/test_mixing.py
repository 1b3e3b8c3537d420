"""Mixup and its balanced form: what is mixed, how the loss follows, which draws they make."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch.nn import functional

from medtail.backbones import create_backbone
from medtail.cli.options import parse_assignments
from medtail.data import open_collection
from medtail.data.samplers import ClassBalancedSampler, PairedSampler, UniformSampler
from medtail.errors import InputError
from medtail.heads import LinearHead
from medtail.losses import BalancedSoftmaxLoss, CrossEntropyLoss
from medtail.methods import Supervised
from medtail.methods.mixed_targets import batch_loss
from medtail.recipes.compose import compose
from medtail.recipes.schema import MixupSettings
from medtail.runs.run import Run
from medtail.training.batches.mixing import BalancedMixup, Mixup, Unmixed, build_mixing
from medtail.training.fit import train


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "image": torch.rand(6, 1, 8, 8, generator=generator),
        "target": torch.tensor([0, 0, 0, 1, 1, 2]),
        "partner_image": torch.rand(6, 1, 8, 8, generator=generator),
        "partner_target": torch.tensor([2, 1, 0, 2, 1, 0]),
    }


def doubled(images: torch.Tensor) -> torch.Tensor:
    return 2 * images


def test_without_mixup_images_are_prepared_and_nothing_else(batch) -> None:
    given = {name: batch[name] for name in ("image", "target")}
    result = Unmixed()(given, doubled)
    assert set(result) == {"image", "target"}
    assert torch.equal(result["image"], 2 * batch["image"])


def test_mixup_is_of_the_batch_in_another_order(batch) -> None:
    given = {name: batch[name] for name in ("image", "target")}
    torch.manual_seed(1)
    mixed = Mixup(1.0)(given, doubled)
    share = float(mixed["partner_share"])
    assert 0 < share < 1
    partners = (mixed["image"] - (1 - share) * 2 * batch["image"]) / share
    orders = [
        next(k for k in range(6) if torch.allclose(partner, 2 * batch["image"][k], atol=1e-4))
        for partner in partners
    ]
    assert sorted(orders) == list(range(6))
    assert torch.equal(mixed["partner_target"], batch["target"][orders])
    assert torch.equal(mixed["target"], batch["target"])
    torch.manual_seed(1)
    assert torch.equal(Mixup(1.0)(given, doubled)["image"], mixed["image"])


def test_balanced_mixup_is_with_its_partners(batch) -> None:
    mixed = BalancedMixup(0.5)(batch, doubled)
    share = mixed["partner_share"]
    expected = (1 - share) * 2 * batch["image"] + share * 2 * batch["partner_image"]
    torch.testing.assert_close(mixed["image"], expected)
    assert torch.equal(mixed["partner_target"], batch["partner_target"])
    assert "partner_image" not in mixed


@pytest.mark.parametrize(("mixing", "mean"), [(Mixup(0.2), 1 / 2), (BalancedMixup(0.2), 0.2 / 1.2)])
def test_shares_follow_their_distribution(batch, mixing, mean: float) -> None:
    torch.manual_seed(0)
    shares = torch.stack([mixing(batch, torch.Tensor)["partner_share"] for _ in range(2000)])
    assert abs(float(shares.mean()) - mean) < 0.03
    assert shares.min() >= 0
    assert shares.max() <= 1


def test_the_loss_of_mixed_images_is_that_of_mixed_one_hot_targets(batch) -> None:
    outputs = torch.randn(6, 3)
    mixed = {**batch, "partner_share": torch.tensor(0.3)}
    one_hot = 0.7 * functional.one_hot(batch["target"], 3) + 0.3 * functional.one_hot(
        batch["partner_target"], 3
    )
    prior = torch.tensor([6.0, 3.0, 1.0]) / 10
    for loss, logits in (
        (CrossEntropyLoss(), outputs),
        (BalancedSoftmaxLoss([6, 3, 1]), outputs + prior.log()),
    ):
        expected = functional.cross_entropy(logits, one_hot)
        torch.testing.assert_close(batch_loss(loss, outputs, mixed), expected)
    method = Supervised(create_backbone("resnet8", channels=1), LinearHead(64, 3), CrossEntropyLoss())
    step = method(mixed)
    torch.testing.assert_close(step.loss, functional.cross_entropy(step.outputs, one_hot))


def test_partners_are_of_every_class_equally_often() -> None:
    targets = np.repeat([0, 1], [950, 50])
    sampler = PairedSampler(UniformSampler(targets), ClassBalancedSampler(targets, seed=5))
    first = list(sampler)
    assert len(sampler) == len(first) == 1000
    own, partners = (np.array(positions) for positions in zip(*first, strict=True))
    assert sorted(own) == list(range(1000))
    assert abs(targets[partners].mean() - 0.5) < 0.06
    assert list(sampler) == first
    sampler.set_epoch(1)
    other = list(sampler)
    assert other != first
    assert [pair[1] for pair in other] != [pair[1] for pair in first]


def test_settings_choose_the_form(batch) -> None:
    assert isinstance(build_mixing(None), Unmixed)
    assert isinstance(build_mixing(MixupSettings()), Mixup)
    assert isinstance(build_mixing(MixupSettings(partners="class_balanced")), BalancedMixup)
    with pytest.raises(InputError, match=r"mixup\.alpha must be positive, got 0"):
        Mixup(0.0)


@pytest.mark.parametrize("method", ["dal", "ce+soft_f1", "awb"])
def test_losses_that_measure_classes_in_the_batch_are_refused(method: str, tmp_path: Path) -> None:
    recipe = compose("digits-lt", method, parse_assignments(["augmentation.mixup.alpha=0.2"]))
    with pytest.raises(InputError, match=r"augmentation\.mixup must be null for loss .* mixed image has two"):
        train(open_collection("digits-lt"), recipe, Run(tmp_path / "run"))


@pytest.mark.parametrize("partners", ["batch", "class_balanced"])
def test_it_learns_and_two_runs_are_equal(partners: str, tmp_path: Path) -> None:
    settings = [
        f"augmentation.mixup.partners={partners}",
        "augmentation.mixup.alpha=0.3",
        "training.precision=32-true",
    ]
    recipe = compose("digits-lt", "balanced_softmax", parse_assignments([*settings, "training.epochs=4"]))
    runs = [Run(tmp_path / name) for name in ("first", "second")]
    summaries = [train(open_collection("digits-lt"), recipe, run) for run in runs]
    assert summaries[0] == summaries[1]
    assert summaries[0]["balanced_accuracy"] > 0.3
    assert runs[0].metrics.read_bytes() == runs[1].metrics.read_bytes()


def test_a_resumed_run_draws_the_partners_of_an_unbroken_one(tmp_path: Path) -> None:
    settings = [
        "augmentation.mixup.partners=class_balanced",
        "training.precision=32-true",
        "training.epochs=3",
    ]
    recipe = compose("digits-lt", "ce", parse_assignments(settings))

    class Cut(Callback):
        def on_train_epoch_start(self, trainer, pl_module) -> None:
            if trainer.current_epoch == 1:
                raise RuntimeError("cut")

    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    train(open_collection("digits-lt"), recipe, whole)
    with pytest.raises(RuntimeError, match="cut"):
        train(open_collection("digits-lt"), recipe, broken, callbacks=[Cut()])
    picture = broken.augmented.read_bytes()
    train(open_collection("digits-lt"), recipe, broken, resume=True)
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()
    assert broken.augmented.read_bytes() == picture == whole.augmented.read_bytes()
