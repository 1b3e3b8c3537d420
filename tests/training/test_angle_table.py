"""The table of angles, against quantiles of the angles themselves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from training.stripes import recipe, stripes

from medtail.runs.run import Run
from medtail.training.callbacks import AngleCounts
from medtail.training.fit import train


def test_quantiles_are_those_of_the_angles() -> None:
    generator = torch.Generator().manual_seed(0)
    cosines = 2 * torch.rand(400, 5, generator=generator) - 1
    targets = torch.randint(5, (400,), generator=generator)
    counts = AngleCounts()
    for part, own in zip(cosines.split(150), targets.split(150), strict=True):
        counts.add(part, own)
    angles = np.arccos(cosines.double().numpy())
    is_target = np.eye(5, dtype=bool)[targets.numpy()]
    found = counts.columns()
    for kind, values in (("negative", angles[~is_target]), ("target", angles[is_target])):
        for share in (0.05, 0.25, 0.5, 0.75, 0.95):
            expected = np.quantile(values, share, method="inverted_cdf")
            assert found[f"{kind}_q{100 * share:02.0f}"] == pytest.approx(expected, abs=np.radians(0.006))


def test_cosines_beyond_one_are_counted_and_nothing_gives_no_columns() -> None:
    counts = AngleCounts()
    assert counts.columns() == {}
    counts.add(torch.tensor([[1.0 + 1e-6, -1.0 - 1e-6]]), torch.tensor([0]))
    assert counts.columns()["target_q50"] == pytest.approx(0, abs=1e-3)
    assert counts.columns()["negative_q50"] == pytest.approx(np.pi, abs=1e-3)


def test_mixed_images_have_no_angles_of_training(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    train(stripes(), recipe("dbm", "training.epochs=1", "augmentation.mixup.alpha=0.2"), run)
    columns = pd.read_csv(run.angles).columns
    assert "negative_q50" in columns and "train_negative_q50" not in columns


def test_a_run_without_validation_has_angles_of_training(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    settings = ("training.epochs=1", "data.validation=none", "training.monitor=last_epoch")
    train(stripes(), recipe("dal", *settings), run)
    columns = pd.read_csv(run.angles).columns
    assert "train_negative_q50" in columns and "negative_q50" not in columns
    assert "Angles to wrong classes: training images" in run.report.read_text()
