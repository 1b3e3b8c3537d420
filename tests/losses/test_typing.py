"""Losses and heads are typed well enough for the strict type checker of a user."""

import subprocess
import sys

import pytest

USED = """
from torch import Tensor

from medtail.heads import CosineClassifier
from medtail.losses import ClassificationLoss, DynamicAngularLoss, LDAMLoss, create_loss

head = CosineClassifier(16, 3)
losses: list[ClassificationLoss] = [
    DynamicAngularLoss(),
    LDAMLoss([900, 90, 9]),
    create_loss("dbm_bs", class_counts={"benign": 900, "malignant": 90}),
]


def step(features: Tensor, targets: Tensor) -> Tensor:
    return losses[0](head(features), targets)


def read(features: Tensor) -> Tensor:
    return losses[1].probabilities(head(features), prior=[0.2, 0.3, 0.5])
"""


def strictly_checked(folder, code: str) -> subprocess.CompletedProcess[str]:
    (folder / "used.py").write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), "used.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_strict_type_checker_accepts_what_users_write_and_knows_what_comes_back(tmp_path) -> None:
    pytest.importorskip("mypy")
    checked = strictly_checked(tmp_path, USED)
    assert checked.returncode == 0, checked.stdout
    wrong = strictly_checked(tmp_path, USED + "\nnumber: int = losses[0](head.weight, head.weight)\n")
    assert 'expression has type "Tensor", variable has type "int"' in wrong.stdout
