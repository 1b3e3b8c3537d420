"""What the tests of a comparison say, in words."""

from collections.abc import Mapping, Sequence

from medtail.evaluation.comparison.significance.differences import Difference


def sentences_of(
    best: str, rival: str | None, against: Mapping[str, Sequence[Difference]], adapted: Mapping[str, str]
) -> list[str]:
    """Return what is known of the best row, and which rows beat the free rival.

    Args:
        best: The row with the highest mean balanced accuracy.
        rival: The free rival; None if there is none.
        against: Differences from both, by their labels.
        adapted: From each row that is another row adapted to that row. The free rival is compared with trained rows
            only, and not with its own.
    """
    sentences = []
    others = against[best]
    if others:
        worse = [_qualified(one) for one in others if one.loses]
        equal = [one.method for one in others if not one.loses]
        sentences.append(f"{best} has the highest mean balanced accuracy.")
        if worse:
            sentences.append(f"It is better than {_listed(worse)}.")
        if equal:
            sentences.append(f"There is no evidence of a difference from {_listed(equal)}.")
    if rival is not None:
        trained = [one for one in against[rival] if one.method not in (*adapted, adapted[rival])]
        beaten = [_qualified(one) for one in trained if one.beats]
        not_beaten = [_with_difference(one) for one in trained if not one.beats]
        if not_beaten:
            sentences.append(f"These rows do not beat the free rival {rival}: {_listed(not_beaten)}.")
        if beaten:
            sentences.append(f"These rows beat the free rival {rival}: {_listed(beaten)}.")
    return sentences


def _listed(labels: Sequence[str]) -> str:
    """Labels may hold commas."""
    return "; ".join(labels)


def _qualified(one: Difference) -> str:
    """The label, and what its verdict rests on where no t-test was possible."""
    return one.method if one.note == "" else f"{one.method} ({one.verdict.partition(' ')[2]})"


def _with_difference(one: Difference) -> str:
    return f"{one.method} ({one.difference:+.3f}, {one.verdict})"
