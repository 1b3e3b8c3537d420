"""The model card: what a model is for, what it was trained on, what it reaches and where it ends."""

import re
from typing import Any

import yaml

from medtail.evaluation.report.authors.energy import Energy
from medtail.evaluation.report.authors.limits import intended_use, limits
from medtail.evaluation.report.authors.methods_text import REFERENCE, methods_text
from medtail.evaluation.report.authors.tables import class_rows, subgroup_rows
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import interval, number, render_markdown
from medtail.losses.descriptions import PAPERS
from medtail.operating_point import OperatingPoint

#: From our metrics to those that Hugging Face has pages of.
_KNOWN = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "auc": "roc_auc",
    "mcc": "matthews_correlation",
    "brier": "brier_score",
}


def model_card(evidence: Evidence) -> str:
    """Return ``model_card.md``: Markdown behind Hugging Face's metadata, without a path of this machine."""
    return render_markdown("model_card.md", _content(evidence))


def _content(evidence: Evidence) -> dict[str, Any]:
    facts = evidence.facts
    return {
        "metadata": _metadata(evidence),
        "title": _text(f"{evidence.settings.method} on {facts.name}"),
        "intended": _text(intended_use(evidence)),
        "limits": [_text(sentence) for sentence in limits(evidence)],
        "methods": _text(methods_text(evidence)),
        "metrics": [
            {
                "title": metric.heading,
                "value": number(evidence.summary[name]),
                "interval": interval(evidence.summary["intervals"][name]),
            }
            for name, metric in facts.task.metrics.items()
        ],
        "kind": evidence.judged.kind,
        "noun": facts.task.noun,
        "classes": [
            {name: _text(value) if isinstance(value, str) else value for name, value in row.items()}
            for row in class_rows(evidence)
        ],
        "subgroups": [
            {name: _text(value) if isinstance(value, str) else value for name, value in row.items()}
            for row in subgroup_rows(evidence)
            if row["n"]
        ],
        "point": [_text(words) for words in _point(evidence)],
        "energy": Energy.of(evidence.environment).formula,
        "environment": evidence.environment,
        "fingerprint": facts.fingerprint[:16],
        "paper": _paper(evidence),
    }


def _metadata(evidence: Evidence) -> str:
    """The YAML that Hugging Face reads: ids of its metrics, and one result per metric that it knows."""
    facts, summary = evidence.facts, evidence.summary
    results = [
        {"type": known, "name": facts.task.metrics[name].title, "value": round(float(summary[name]), 4)}
        for name, known in _KNOWN.items()
        if name in facts.task.metrics and summary[name] is not None
    ]
    slug = re.sub(r"[^a-z0-9-]+", "-", facts.name.lower()).strip("-") or "data"
    metadata = {
        "library_name": "medtail",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "imbalanced-classification", "medtail", evidence.settings.method],
        "metrics": [result["type"] for result in results],
        "model-index": [
            {
                "name": evidence.run.folder.resolve().name,
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"type": slug, "name": facts.name, "split": "test"},
                        "metrics": results,
                    }
                ],
            }
        ],
    }
    text: str = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)
    return text.rstrip()


def _point(evidence: Evidence) -> list[str]:
    if evidence.adapted is None:
        return []
    return list(OperatingPoint.read(evidence.run.operating_point, evidence.class_names).words)


def _paper(evidence: Evidence) -> str | None:
    paper = PAPERS.get(str(evidence.settings.get("loss.name")))
    return None if paper in (None, REFERENCE) else _text(str(paper))


def _text(text: str) -> str:
    """A text that Markdown shows as it is, on one line and in one cell of a table."""
    plain = re.sub(r"\s+", " ", text)
    return re.sub(r"([\\`*_{}\[\]<>|#$~])", r"\\\1", plain)
