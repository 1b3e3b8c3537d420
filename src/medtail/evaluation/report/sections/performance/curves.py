"""The results of other thresholds: precision-recall and ROC curves, one class against the rest."""

from medtail.evaluation.report.class_curves import MOST_FAINT, ClassCurves
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.sections.layout import CLASSES_IN_COLOUR
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES


def curves(evidence: Evidence) -> Section:
    """Precision-recall and ROC curves of each class or label, and the areas under them with intervals."""
    drawn = evidence.drawn_classes
    areas = evidence.class_areas
    named = [
        {"name": evidence.class_names[index], **areas[index]} for index in evidence.from_frequent_to_rare
    ]
    return Section(
        "curves",
        "Precision-recall and ROC curves",
        "section_curves.html",
        {
            "binary": evidence.class_names[drawn[0]] if evidence.test.binary and drawn else None,
            "faint": f"{MOST_FAINT} of the {len(drawn)} classes" if len(drawn) > MOST_FAINT else "classes",
            "each": len(drawn) <= CLASSES_IN_COLOUR,
            "areas": named if drawn and len(named) < MANY_CLASSES else [],
            "multi_label": evidence.facts.multi_label,
            "over_groups": evidence.over_groups,
            "figures": ClassCurves(evidence.test, drawn, evidence.group_members).figures() if drawn else [],
        },
    )
