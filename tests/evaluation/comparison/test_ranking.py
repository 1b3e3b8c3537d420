"""Ranks over data sets, against SciPy, scikit-posthocs and Demšar's table of critical values."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medtail.errors import InputError
from medtail.evaluation.comparison.comparison import compare_runs
from medtail.evaluation.comparison.figures.critical_difference import cliques, critical_difference
from medtail.evaluation.comparison.page import comparison_page
from medtail.evaluation.comparison.ranking import rank, rank_comparisons
from references.pages import read_page


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    skill = np.array([0.70, 0.72, 0.80, 0.81])[:, None]
    table = skill + generator.normal(0, 0.03, (4, 7))
    return pd.DataFrame(table, index=["a", "b", "c", "d"], columns=[f"set {number}" for number in range(7)])


def test_ranks_and_friedmans_test(values: pd.DataFrame) -> None:
    ranking = rank(values)
    expected = stats.rankdata(-values.to_numpy(), axis=0).mean(axis=1)
    assert ranking.mean_ranks.loc[list("abcd")].tolist() == pytest.approx(expected.tolist())
    assert ranking.p == pytest.approx(stats.friedmanchisquare(*values.to_numpy()).pvalue)


def test_nemenyis_test_is_that_of_scikit_posthocs(values: pd.DataFrame) -> None:
    posthocs = pytest.importorskip("scikit_posthocs")
    expected = posthocs.posthoc_nemenyi_friedman(values.to_numpy().T)
    ours = rank(values).p_values.loc[list("abcd"), list("abcd")].to_numpy()
    off_diagonal = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(ours[off_diagonal], expected.to_numpy()[off_diagonal], atol=1e-6)


def test_the_critical_difference_is_demsars(values: pd.DataFrame) -> None:
    """Demšar 2006, Table 5: q at level .05 is 2.569 for four classifiers."""
    assert rank(values).critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 7)), abs=1e-3)


def test_bars_join_what_is_closer_than_the_critical_difference(values: pd.DataFrame) -> None:
    ranking = rank(values)
    for low, high in cliques(ranking):
        assert high - low < ranking.critical_difference
    assert "Mean ranks: " in critical_difference(ranking)


def test_equal_rows_and_too_few(values: pd.DataFrame) -> None:
    same = pd.DataFrame(0.5, index=["a", "b", "c"], columns=["x", "y"])
    assert (rank(same).p, rank(same).mean_ranks.tolist()) == (1.0, [2.0, 2.0, 2.0])
    assert "no evidence of a difference" in rank(same).sentence
    assert np.isnan(rank(values.iloc[:2]).p)
    assert "needs three rows and two data sets, there are 2 and 7" in rank(values.iloc[:2]).sentence


def test_the_sentence_tells_friedmans_test_from_nemenyis(values: pd.DataFrame) -> None:
    """With many rows Nemenyi's test, corrected for all pairs, finds none where the rows are not all alike."""
    assert "differ by Nemenyi's test: " in rank(values).sentence
    many = pd.DataFrame({name: np.arange(40.0) for name in ("x", "y")})
    assert rank(many).sentence == (
        "Friedman's test over 2 data sets: p = 0.0002; the rows are not all alike, but Nemenyi's test tells no two of "
        "them apart."
    )
    wide = pd.DataFrame({str(number): [3.0, 2.0, 1.0] for number in range(20)}, index=["a", "b", "c"])
    assert "p < 0.0001; these differ" in rank(wide).sentence


def test_comparisons_of_several_data_sets_are_ranked(make_run, tmp_path) -> None:
    """Data sets of other classes have tables of their own and share the ranks."""

    def comparison(name: str, **changes):
        runs = [
            make_run(tmp_path / name / method, method=method, seed=seed, skill=skill, resamples=3, **changes)
            for seed, (method, skill) in enumerate((("ce", 1.0), ("balanced_softmax", 2.0), ("dal", 3.0)))
        ]
        return compare_runs(runs)

    first = comparison("first")
    with pytest.raises(InputError, match="two or more different data sets, got ham10000"):
        rank_comparisons([first])
    second = comparison("second", class_names=("a", "b", "c"), train=(9, 30, 80), test=(9, 30, 80))
    object.__setattr__(second, "dataset", "other")
    ranked = rank_comparisons([first, second])
    assert ranked.ranking.ranks.loc["dal"].to_dict() == {"ham10000": 1.0, "other": 1.0}
    assert set(ranked.ranking.ranks.index) == {"ce", "balanced_softmax", "dal", "ce, adapted"}
    assert ranked.ranking.sentence in ranked.to_markdown()
    assert ranked.table["data_set"].unique().tolist() == ["ham10000", "other"]
    assert [one["dataset"] for one in ranked.to_dict()["data_sets"]] == ["ham10000", "other"]
    page = read_page(comparison_page(ranked))
    assert ranked.ranking.sentence in page.text
    assert page.unclosed == []
    assert len(page.ids) == len(set(page.ids))
