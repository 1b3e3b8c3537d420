"""``medtail export`` as a user types it."""

from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="the extra export is not installed")


def test_a_run_is_exported_and_the_check_is_printed(medtail, digits_run: Path, tmp_path: Path) -> None:
    result = medtail("export", digits_run, "--out", tmp_path / "digits.onnx")
    assert result.returncode == 0, result.stderr
    assert "validation images: probabilities differ by at most" in result.stdout
    assert "Choose the most probable class." in result.stdout
    assert (tmp_path / "digits.onnx").stat().st_size > 10_000
    assert [path.name for path in tmp_path.iterdir()] == ["digits.onnx"]


def test_a_file_that_exists_and_a_folder_without_a_run_are_refused(
    refuses, digits_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "digits.onnx"
    assert "does not exist" in refuses("export", tmp_path / "nothing", "--out", out)
    out.write_text("mine")
    assert "--overwrite" in refuses("export", digits_run, "--out", out)
    assert "outside of every run" in refuses("export", digits_run, "--out", digits_run / "model.onnx")
    assert out.read_text() == "mine"
