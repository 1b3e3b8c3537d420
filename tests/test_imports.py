"""Light packages import nothing heavy: asserted on the names of modules, since times depend on the machine."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from medtail.data import BUILT_IN
from medtail.data.datasets.descriptions import BUILT_IN_DESCRIPTIONS
from medtail.files import write_json
from medtail.losses import DESCRIPTIONS, LOSSES
from medtail.recipes.recorded_prior import prior_summary
from medtail.runs.facts import DatasetFacts
from references.runs import make_run

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
        ("medtail.losses.descriptions", {*NO_TORCH, "numpy"}),
        ("medtail.data.datasets.descriptions", {*NO_TORCH, "pandas", "numpy"}),
        ("medtail.inference.loading", {"lightning", "matplotlib", "sklearn", "scipy"}),
    ],
)
def test_an_import_loads_nothing_heavy(package: str, heavy: set[str]) -> None:
    code = f"import sys, {package}; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["losses", "methods", "datasets", "recipes", "grids"])
def test_a_list_loads_nothing_heavy(kind: str) -> None:
    heavy = {*NO_TORCH, "pandas", "numpy", "rich.markdown"}
    code = (
        "import sys, medtail.cli\n"
        f"try: medtail.cli.app(['list', '{kind}'])\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', sorted({heavy} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "HEAVY []"


def test_a_comparison_of_finished_runs_loads_nothing_heavy(tmp_path: Path) -> None:
    """The free rival takes its prior from the summary, so that no loss is built."""
    run = make_run(tmp_path / "ce", method="ce", resamples=3)
    write_json(run.summary, {**run.read_summary(), **prior_summary(run, DatasetFacts.load(run))})
    code = (
        "import sys; from pathlib import Path\n"
        "from medtail.evaluation import compare_runs; from medtail.runs.run import Run\n"
        f"rival = compare_runs([Run(Path({str(run.folder)!r}))]).rival\n"
        f"print(rival, sorted({NO_TORCH} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "ce, adapted []"


@pytest.mark.parametrize(
    "package", ["medtail.losses", "medtail.data", "medtail.training", "medtail.inference"]
)
def test_every_name_of_a_package_that_loads_late_is_there(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) == set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        getattr(module, "nothing")  # noqa: B009


def test_what_is_listed_is_the_first_line_of_each_docstring() -> None:
    assert {key: first_line(loss) for key, loss in LOSSES.items()} == DESCRIPTIONS
    assert {key: first_line(opener) for key, opener in BUILT_IN.items()} == BUILT_IN_DESCRIPTIONS


def first_line(thing: object) -> str:
    """The first line of a docstring, without its markup."""
    return (thing.__doc__ or "").strip().splitlines()[0].replace(":math:", "").replace("`", "")
