"""``medtail train --from-run``: a second stage on a finished run."""

from pathlib import Path

import yaml


def test_a_classifier_is_trained_again_on_the_features_of_a_run(
    medtail, refuses, digits_run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "crt"
    options = ("--from-run", digits_run, "--epochs", 2, "--out", folder)
    result = medtail("train", "digits-lt", "--method", "crt", *options, "--cache", tmp_path / "cache")
    assert result.returncode == 0, result.stderr
    settings = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert settings["backbone"]["from_run"] == str(digits_run)
    assert settings["backbone"]["cached_features"] is True
    # The classifier of the first stage emits cosines, which have no lengths to scale.
    sentence = refuses("train", "digits-lt", "--method", "lws", *options[:4], "--out", tmp_path / "lws")
    assert "must be linear" in sentence
