"""The picture of an augmented batch, for a page that loads nothing."""

import base64

from medtail.evaluation.report.evidence import RunEvidence


def augmented(evidence: RunEvidence) -> str | None:
    """``augmented.png`` of the run as a data URL; None where there is none."""
    path = evidence.run.augmented
    if not path.is_file():
        return None
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
