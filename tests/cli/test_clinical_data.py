"""Sets as clinics have them, made from the libraries' own test files, from inspection to prediction."""

import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")

DICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
NIFTI_FILES = Path(nibabel.__file__).parent / "tests" / "data"


@pytest.fixture(scope="module")
def dicom_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of pydicom's, each shifted differently: 24 of CT, 12 of MR, two a patient, one file without pixels."""
    folder = tmp_path_factory.mktemp("scans")
    rows = []
    for label, name, count in (("ct", "CT_small.dcm", 24), ("mr", "MR_small.dcm", 12)):
        for number in range(count):
            dataset = pydicom.dcmread(DICOM_FILES / name)
            numbers = np.roll(dataset.pixel_array, (5 * number, 3 * number), axis=(0, 1))
            dataset.PixelData = numbers.tobytes()
            image = f"{label}{number:02d}.dcm"
            dataset.save_as(folder / image)
            rows.append({"image": image, "label": label, "patient": f"{label}{number // 2}"})
    (folder / "ct23.dcm").write_bytes((DICOM_FILES / "rtplan.dcm").read_bytes())
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def nifti_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nibabel's brain in two sequences, as it is and with dark and bright exchanged in one class; 24 cases."""
    folder = tmp_path_factory.mktemp("brains")
    brain = nibabel.load(NIFTI_FILES / "anatomical.nii")
    values = brain.get_fdata().astype(np.float32)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(24):
        label = ["healthy", "tumour"][number % 4 == 0]
        row = {"id": f"case{number:02d}", "label": label}
        for sequence in ("t1", "flair"):
            noisy = values * generator.uniform(0.8, 1.2) + generator.normal(0, 5, values.shape)
            if label == "tumour":
                noisy[10:20, 10:20, 8:16] += 3 * values.max()
            row[f"image_{sequence}"] = f"case{number:02d}_{sequence}"
            image = nibabel.Nifti1Image(np.where(values > 0, noisy, 0).astype(np.float32), brain.affine)
            nibabel.save(image, folder / f"case{number:02d}_{sequence}.nii.gz")
        rows.append(row)
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


def test_a_dicom_set_from_inspection_to_prediction(
    medtail: Callable, refuses: Callable, dicom_set: Path, tmp_path: Path
) -> None:
    findings = medtail("inspect", dicom_set)
    assert findings.returncode == 0, findings.stderr
    assert "sizes: 128 x 128 (23), 64 x 64 (12)" in findings.stdout
    assert "pixel formats: MONOCHROME2 (35)" in findings.stdout
    assert "ct23.dcm holds no pixels (DICOM of the kind RT Plan Storage)" in findings.stdout

    options = ("--method", "balanced_softmax", "--epochs", 2, "--image-size", 16, "--backbone", "resnet8")
    channels = ("--set", "data.channels=1")
    run = tmp_path / "run"
    sentence = refuses("train", dicom_set, *options, *channels, "--out", run)
    assert "1 of 36 images cannot be read: ct23.dcm holds no pixels" in sentence
    assert not run.exists()

    trained = medtail("train", dicom_set, *options, *channels, "--out", run, "--skip-unreadable")
    assert trained.returncode == 0, trained.stderr
    assert (run / "report.html").stat().st_size > 10_000

    predicted = medtail("predict", run, dicom_set / "mr00.dcm", dicom_set / "ct00.dcm")
    assert predicted.returncode == 0, predicted.stderr
    assert pd.read_csv(StringIO(predicted.stdout))["image"].map(lambda path: Path(path).name).tolist() == [
        "mr00.dcm",
        "ct00.dcm",
    ]
    assert "is a volume among images" in refuses("predict", run, DICOM_FILES / "rtdose.dcm")


@pytest.mark.slow
def test_a_nifti_set_from_inspection_to_evaluation(
    medtail: Callable, refuses: Callable, nifti_set: Path, tmp_path: Path
) -> None:
    findings = medtail("inspect", nifti_set)
    assert findings.returncode == 0, findings.stderr
    assert "sizes: 25 x 41 x 33 (24)" in findings.stdout
    assert "channels: 2 (24)" in findings.stdout
    assert "recipe small_volumes)" in findings.stdout

    run = tmp_path / "run"
    options = ("--method", "balanced_softmax", "--epochs", 2, "--image-size", 16, "--batch-size", 8)
    # All cases are made of one brain.
    options += ("--set", "data.keep_together=copies")
    trained = medtail("train", nifti_set, *options, "--out", run)
    assert trained.returncode == 0, trained.stderr
    assert "recipe small_volumes × balanced_softmax, backbone resnet18_3d" in trained.stderr
    facts = pd.read_json(run / "dataset.json", typ="series")
    assert (facts["dimensions"], facts["channels"], len(facts["mean"])) == (3, 2, 2)
    assert (run / "report.html").stat().st_size > 10_000

    elsewhere = shutil.copytree(nifti_set, tmp_path / "elsewhere")
    judged = medtail("evaluate", run, "--data", elsewhere, "--out", tmp_path / "all.parquet")
    assert judged.returncode == 0, judged.stderr
    assert len(pd.read_parquet(tmp_path / "all.parquet")) == 24

    assert facts["sequences"] == ["t1", "flair"]
    saved = pd.read_parquet(tmp_path / "all.parquet").set_index("id")["probability_tumour"].sort_index()
    from_folder = medtail("predict", run, elsewhere)
    assert from_folder.returncode == 0, from_folder.stderr
    predicted = pd.read_csv(StringIO(from_folder.stdout), index_col="image")[
        "probability_tumour"
    ].sort_index()
    assert [Path(name).name for name in predicted.index] == saved.index.tolist()
    np.testing.assert_allclose(predicted, saved, atol=1e-5)
    columns = ["image_flair", "image_t1", "id"]
    pd.read_csv(elsewhere / "labels.csv")[columns].to_csv(elsewhere / "new.csv", index=False)
    from_table = medtail("predict", run, elsewhere / "new.csv")
    assert from_table.returncode == 0, from_table.stderr
    predicted = pd.read_csv(StringIO(from_table.stdout), index_col="image")["probability_tumour"].sort_index()
    np.testing.assert_allclose(predicted, saved, atol=1e-5)
    alone = elsewhere / "case00_t1.nii.gz"
    assert "must be given as folders or tables" in refuses("predict", run, alone)
    pd.read_csv(elsewhere / "labels.csv")[[*columns, "label"]].to_csv(elsewhere / "labels.csv", index=False)
    assert "sequences of" in refuses("evaluate", run, "--data", elsewhere, "--out", tmp_path / "b.parquet")
