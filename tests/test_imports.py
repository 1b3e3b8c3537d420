"""Light packages import nothing heavy: asserted on the names of modules, since times depend on the machine."""

import subprocess
import sys

import pytest

PLOTS_AND_TRAINING = {"lightning", "timm", "torchvision", "matplotlib"}
NO_TORCH = {"torch", *PLOTS_AND_TRAINING}


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        ("medtail.losses", PLOTS_AND_TRAINING),
        ("medtail.metrics", NO_TORCH),
        ("medtail.operating_point", NO_TORCH),
        ("medtail.runs", NO_TORCH),
        ("medtail.runs.facts", NO_TORCH),
        ("medtail.runs.grid", NO_TORCH),
        ("medtail.runs.label_predictions", NO_TORCH),
        ("medtail.adaptation", NO_TORCH),
    ],
)
def test_an_import_loads_nothing_heavy(package: str, heavy: set[str]) -> None:
    code = f"import sys, {package}; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
