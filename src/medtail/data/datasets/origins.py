"""The line that says where labels, groups and splits come from."""

import logging
from collections.abc import Sequence

from medtail.naming import listing

logger = logging.getLogger(__name__)


def tell(
    data: object,
    *,
    labels: str,
    groups: str | None,
    splits: str | None,
    notes: Sequence[str] = (),
    unused: Sequence[str] | None = None,
) -> None:
    """Report what is used of the data, and what is not, in one line of the log.

    Args:
        data: What was opened.
        labels: Where labels come from.
        groups: Where groups come from; None if they are unknown.
        splits: Where splits come from; None if they are to be drawn.
        notes: What else is worth knowing.
        unused: Columns or keys that are not used; None if the layout has neither.
    """
    parts = [
        f"labels from {labels}",
        "groups unknown" if groups is None else f"groups from {groups}",
        "no splits given" if splits is None else f"splits from {splits}",
        *notes,
    ]
    if unused is not None:
        parts.append(f"not used: {listing(unused, most=20) or 'nothing'}")
    logger.info("%s: %s", data, "; ".join(parts))
