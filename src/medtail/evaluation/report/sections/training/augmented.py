"""The picture of an augmented batch, inline, for a page that loads nothing."""

import base64

from medtail.evaluation.report.evidence import Evidence


def augmented(evidence: Evidence) -> str | None:
    """``augmented.png`` of the run as a data URL; None if the run has none."""
    path = evidence.run.augmented
    if not path.is_file():
        return None
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
