"""What a user gets from an index: a wheel that works without extras and names the one that it lacks."""

import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

#: A command for each extra that is refused without it; the others belong to development.
NEED_EXTRAS = {
    "adapters": "train digits-lt --method ce --set backbone.lora.rank=4 --set backbone.from_run={run} --out {new}",
    "cluster": "compare digits-lt --methods ce --seeds 1 --cluster auto --out {new}",
    "dicom": "train {dicom} --method ce --out {new}",
    "explain": "predict {run} {images} --explain {new}",
    "export": "export {run} --format onnx --out {new}",
    "label-errors": "inspect {run}",
    "medmnist": "inspect pneumoniamnist",
    "serve": "serve {run} --port 0",
    "tensorboard": "train digits-lt --method ce --set training.logger=tensorboard --out {new}",
    "tune": "tune digits-lt --method ce --trials 1 --out {new}",
    "volumes": "train {volumes} --method ce --out {new}",
}
OF_DEVELOPMENT = {"dev", "docs"}

Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and with the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", folder, ROOT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def description(wheel: Path) -> tuple[list[str], str]:
    """Headers and text of the wheel, as an index shows them."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers, _, text = archive.read(name).decode().partition("\n\n")
    return headers.splitlines(), text


@pytest.fixture(scope="module")
def medtail(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Run ``medtail ARGUMENTS`` of an environment that holds the wheel and what it requires, at the tested versions."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "environment", with_pip=True)
    binaries = folder / "environment" / "bin"
    install = [binaries / "python", "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--constraint", ROOT / "constraints.txt", wheel], check=True)

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        # Nothing of the working tree is on the path, and nothing of the tests' environment.
        return subprocess.run(
            [binaries / "medtail", *map(str, arguments)],
            capture_output=True, text=True, check=False, cwd=folder, env={"HOME": str(folder), "COLUMNS": "200"},
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def demo(medtail: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "demo"
    result = medtail("train", "digits-lt", "--method", "dbm_bs", "--epochs", 3, "--out", folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_the_demo_runs_without_extras(medtail: Program, demo: Path) -> None:
    assert (demo / "report.html").is_file()
    assert '"split": "test"' in medtail("evaluate", demo, "--json").stdout
    assert medtail("adapt", demo, "--prior", "uniform").returncode == 0
    assert medtail("explore", demo).returncode == 0


@pytest.mark.parametrize("extra", NEED_EXTRAS)
def test_a_missing_extra_is_named_in_one_sentence(
    medtail: Program, demo: Path, tmp_path: Path, extra: str
) -> None:
    for name, content in {"dicom": bytes(128) + b"DICM", "volumes": b"\x1f\x8b"}.items():
        for label in ("a", "b"):
            (tmp_path / name / label).mkdir(parents=True)
            suffix = {"dicom": "dcm", "volumes": "nii.gz"}[name]
            (tmp_path / name / label / f"image.{suffix}").write_bytes(content)
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(tmp_path / "images" / "0.png")
    places = {name: tmp_path / name for name in ("dicom", "volumes", "images", "new")}
    command = NEED_EXTRAS[extra].format(run=demo, **places)
    result = medtail(*command.split())
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    error = result.stderr.splitlines()[-1]
    assert error.startswith("error: ") and f"pip install 'medtail[{extra}]'" in error
    assert not places["new"].exists()


def test_every_extra_is_tried(description: tuple[list[str], str]) -> None:
    extras = {line.split()[1] for line in description[0] if line.startswith("Provides-Extra: ")}
    assert extras - OF_DEVELOPMENT == set(NEED_EXTRAS)


def test_the_description_leads_nowhere_that_an_index_lacks(description: tuple[list[str], str]) -> None:
    headers, text = description
    assert "Description-Content-Type: text/markdown" in headers
    assert text.startswith("# medtail")
    assert [link for link in re.findall(r"\]\(([^)]*)\)", text) if not link.startswith("https://")] == []


def test_the_source_distribution_holds_tests_and_pages(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {name for name in tracked if not name.startswith(".")} - held == set()
    assert "tests/test_packaging.py" in held and "docs/tutorial.md" in held


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    source = ROOT / "src"
    files = {
        path.relative_to(source).as_posix() for path in (source / "medtail").rglob("*") if path.is_file()
    }
    assert {name for name in files if "__pycache__" not in name} - held == set()
