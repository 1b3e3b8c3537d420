"""The tables of the command line: how many groups an interval rests on stands beside it."""

import pytest

from medtail.cli.tables import print_summary
from medtail.evaluation.summaries.summary import summarize
from references.runs import make_predictions


@pytest.mark.parametrize(("images_per_group", "groups"), [(1, 60), (5, 12), (None, None)])
def test_the_number_of_groups_is_printed_with_a_warning_below_thirty(
    capsys: pytest.CaptureFixture[str], images_per_group: int | None, groups: int | None
) -> None:
    predictions = make_predictions(["a", "b"], [40, 20], images_per_group=images_per_group)
    print_summary(summarize(predictions, "test", resamples=20))
    printed = " ".join(capsys.readouterr().out.split())
    assert ("95 % interval," in printed) == (groups is not None)
    assert f"interval, {groups} groups" in printed or groups is None
    assert ("rest on 12 groups; with fewer than 30 they are often too narrow" in printed) == (groups == 12)
