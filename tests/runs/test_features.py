"""What a run keeps of its test images' features."""

from pathlib import Path

import numpy as np
import pytest

from medtail.errors import InputError
from medtail.runs.features import SavedFeatures
from medtail.runs.run import Run

FEATURES = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]], dtype=np.float32)
CENTRES = np.array([[3.0, 0.0], [0.0, 1.0]], dtype=np.float32)
SAVED = SavedFeatures(np.array(["a", "b", "c"]), np.array([0, 1, 1]), FEATURES, CENTRES)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_what_was_written_is_read(run: Run) -> None:
    SAVED.write(run.features)
    again = SavedFeatures.read(run)
    for name in ("ids", "targets", "features", "centres"):
        np.testing.assert_array_equal(getattr(again, name), getattr(SAVED, name))
    assert again.features.dtype == again.centres.dtype == np.float32


def test_angles_to_the_own_centre_by_hand() -> None:
    np.testing.assert_allclose(np.degrees(SAVED.own_angles()), [0, 45, np.nan], atol=1e-4)


def test_large_files_keep_rare_classes_whole() -> None:
    targets = np.repeat([0, 1, 2], [500, 90, 7])
    saved = SavedFeatures(np.arange(597), targets, np.arange(597.0)[:, None], None)
    kept = saved.thinned(100)
    assert np.bincount(kept.targets).tolist() == [47, 46, 7]
    np.testing.assert_array_equal(kept.features[:, 0], kept.ids)
    np.testing.assert_array_equal(kept.targets, targets[kept.ids])
    # Drawn, not the first ones; the same every time.
    assert kept.ids[40] > 60
    np.testing.assert_array_equal(kept.ids, saved.thinned(100).ids)


def test_several_labels_are_thinned_alike() -> None:
    saved = SavedFeatures(np.arange(50), np.zeros((50, 3)), np.zeros((50, 2)), None)
    assert len(saved.thinned(40).ids) == 20


def test_a_run_without_features_says_so(run: Run) -> None:
    with pytest.raises(InputError, match="keeps no features of its test images"):
        SavedFeatures.read(run)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.array([0, 1])}, "holds 3 rows, 2 targets and 3 ids"),
        (
            {"centres": np.ones((2, 3), dtype=np.float32)},
            r"centres of 2 numbers, but they have shape \(2, 3\)",
        ),
        ({"features": FEATURES * np.nan}, "holds features that are not finite"),
    ],
)
def test_damaged_files_are_refused(run: Run, change: dict, message: str) -> None:
    arrays = {name: getattr(SAVED, name) for name in ("ids", "targets", "features", "centres")} | change
    SavedFeatures(**arrays).write(run.features)
    with pytest.raises(InputError, match=message):
        SavedFeatures.read(run)
