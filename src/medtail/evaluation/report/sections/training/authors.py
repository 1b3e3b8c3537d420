"""What authors need: intended use, limits, a paragraph on methods, subgroups, reporting items."""

from medtail.evaluation.report.authors.energy import Energy
from medtail.evaluation.report.authors.limits import intended_use, limits
from medtail.evaluation.report.authors.methods_text import methods_text
from medtail.evaluation.report.authors.reporting_items import reporting_items
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.subgroups import subgroup_recalls


def authors(evidence: Evidence) -> Section:
    """The model card on the page."""
    rows = subgroup_recalls(evidence.test, evidence.attributes)
    return Section(
        "authors",
        "Model card and methods",
        "section_authors.html",
        {
            "intended": intended_use(evidence),
            "limits": limits(evidence),
            "methods": methods_text(evidence),
            "energy": Energy.of(evidence.environment).formula,
            "noun": evidence.facts.task.noun,
            "subgroups": [row for row in rows if row["n"]],
            "items": reporting_items(evidence),
        },
    )
