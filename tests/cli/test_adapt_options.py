"""Priors, recalls and costs as they are written on the command line."""

from pathlib import Path

import numpy as np
import pytest

from medtail.cli.adapt_options import parse_prior, parse_recall, read_costs
from medtail.errors import InputError

NAMES = ("nv", "mel", "bcc")


def test_a_prior_in_class_order_or_by_name() -> None:
    assert parse_prior("0.7, 0.2,0.1", NAMES).tolist() == [0.7, 0.2, 0.1]
    assert parse_prior("bcc=0.1,nv=0.7, mel=0.2", NAMES).tolist() == [0.7, 0.2, 0.1]
    assert parse_prior("0=0.25,1=0.75", ("0", "1")).tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.5,0.5", r"--prior must be one number for each of 3 classes \(nv, mel, bcc\), got 2"),
        (
            "0.5,0.3,0.1",
            "--prior must sum to 1, sums to 0.9; divided by its sum it is 0.555556,0.333333,0.111111",
        ),
        ("0.5,0.5,0", "--prior must be positive for every class, got 0; .* such as 0.001"),
        ("0.6,0.5,-0.1", "--prior must be positive for every class, got -0.1"),
        ("0.5,0.4,much", "--prior must be numbers, got 'much'"),
        ("0.5,0.5,nan", "--prior must be finite numbers, got 'nan'"),
        ("", "--prior must be one number for each of 3 classes .* got 1"),
        ("nv=0.7,mel=0.3", "--prior must name every class, bcc missing"),
        ("nv=0.7,mel=0.2,mle=0.1", r"--prior must name classes of the run .* got 'mle'; did you mean mel\?"),
        ("nv=0.7,nv=0.2,mel=0.1", "--prior must name each class once, names nv twice"),
        ("nv=0.7,0.2,0.1", "--prior takes numbers, or CLASS=NUMBER for every class, got '0.2'"),
        ("nv=0.7,mel=0.2,bcc=x", "--prior must be numbers, got 'x'"),
    ],
)
def test_a_wrong_prior_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_prior(text, NAMES)


def test_a_recall() -> None:
    assert parse_recall("mel=0.95", NAMES) == (1, 0.95)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mel", "--recall takes CLASS=RECALL, got 'mel'; write e.g. --recall bcc=0.95"),
        ("=0.9", "--recall takes CLASS=RECALL"),
        ("mell=0.95", r"got 'mell'; did you mean mel\?"),
        ("mel=1", "--recall must lie between 0 and 1, got 1 for mel"),
        ("mel=0", "--recall must lie between 0 and 1, got 0"),
        ("mel=95%", "--recall must be numbers, got '95%'"),
    ],
)
def test_a_wrong_recall_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_recall(text, NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "0,1,2\n10,0,3\n4,5,0\n",
        "truth,nv,mel,bcc\nnv,0,1,2\nmel,10,0,3\nbcc,4,5,0\n",
        ",bcc,nv,mel\nmel,3,10,0\n\nbcc,0,4,5\nnv, 2 ,0,1\n",
        "\ufeff0,1,2\r\n10,0,3\r\n4,5,0\r\n",
    ],
)
def test_costs_plain_or_with_names_in_any_order(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(read_costs(path, NAMES), [[0, 1, 2], [10, 0, 3], [4, 5, 0]])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0,1\n1,0\n", "--costs must be 3 × 3 numbers, .* has 2 rows of 2 cells"),
        ("0,1,2\n1,0\n4,5,0\n", "has 3 rows of 2 or 3 cells"),
        ("", "has 0 rows of no cells"),
        ("0,1,2\n10,0,-3\n4,5,0\n", "at least 0, got '-3' for mel decided as bcc"),
        ("0,1,2\n10,0,nan\n4,5,0\n", "got 'nan' for mel decided as bcc"),
        ("0,1,2\n10,0,\n4,5,0\n", "got '' for mel decided as bcc"),
        ("0,1,2\n10,0,much\n4,5,0\n", "got 'much' for mel decided as bcc"),
        (",nv,mel,bbc\nnv,0,1,2\nmel,1,0,3\nbcc,4,5,0\n", r"header of .* got 'bbc'; did you mean bcc\?"),
        (",nv,mel,bcc\nnv,0,1,2\nnv,1,0,3\nbcc,4,5,0\n", "first column of .* must name each class once"),
    ],
)
def test_wrong_costs_are_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_costs(path, NAMES)


def test_a_file_of_costs_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_costs(tmp_path / "nothing.csv", NAMES)
    (tmp_path / "costs.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="is not a CSV file"):
        read_costs(tmp_path / "costs.csv", NAMES)
