"""Items of guidelines that a run can fill: TRIPOD+AI (Collins et al. 2024) and STARD 2015 (Bossuyt et al.)."""

from medtail.evaluation.report.authors.limits import MOST_NAMED
from medtail.evaluation.report.authors.methods_text import choice_sentence, loss_sentence, splits_sentence
from medtail.evaluation.report.evidence import Evidence
from medtail.naming import listing
from medtail.operating_point import OperatingPoint


def reporting_items(evidence: Evidence) -> list[dict[str, str]]:
    """Return ``guideline``, ``item``, ``topic`` and ``report``, what the run says to it.

    Only items that files of the run answer; the others, such as eligibility, reference standard, ethics and funding,
    are for the authors to write.
    """
    facts, summary = evidence.facts, evidence.summary
    counts = "; ".join(
        f"{split} {facts.num_images[split]}"
        for split in ("train", "validation", "test")
        if facts.num_images[split]
    )
    carried = listing((f"{entry['name']} {entry['n']}" for entry in summary["classes"]), most=MOST_NAMED)
    unreadable = f"{len(facts.unreadable)} images were left out because they could not be read"
    unknown = "; unknown labels were left out of loss and metrics" if facts.known_labels is not None else ""
    subgroups = (
        "Recall by " + ", ".join(map(str, evidence.attributes.columns)) + ": table of subgroups."
        if len(evidence.attributes.columns)
        else None
    )
    train, settings, noun = (
        evidence.counts("train"),
        evidence.settings,
        facts.task.noun,
    )
    flow, decision = f"Images: {counts}; {unreadable}.", _decision(evidence)
    accuracy = "Tables of metrics and of classes."
    prepared = f"Images were resized to {facts.image_size} pixels a side and normalised; {unreadable}."
    imbalance = (
        f"The most frequent {noun} has {train.max() / max(1, train.min()):.3g} times as many training images as the "
        f"rarest; {settings.get('sampling.name')} sampling, loss {settings.get('loss.name')}."
    )
    measures = (
        "Discrimination (recall, AUC, average precision) and calibration (reliability, calibration error, Brier "
        "score), with intervals at 95 %."
    )
    code = f"medtail {evidence.environment.get('medtail', '')}; recipe.yaml trains the same model again."
    intervals = "Recall with Wilson's intervals, all other metrics with bootstrap intervals, at 95 %."
    building = f"{loss_sentence(evidence)} {choice_sentence(evidence)}"
    tripod = [
        ("7", "Data preparation", prepared),
        ("10", "Sample size", f"Images: {counts}."),
        ("11", "Missing data", f"{unreadable}{unknown}."),
        ("12a", "How data were used", splits_sentence(evidence)),
        ("12c", "Type of model and model building", building),
        ("12e", "Measures of performance", measures),
        ("13", "Class imbalance", imbalance),
        ("14", "Fairness", subgroups),
        ("15", "Model output", f"A probability for each {noun}; {decision}"),
        ("18f", "Code sharing", code),
        ("20a", "Flow of participants", flow),
        ("21", "Outcomes in each analysis", f"Test images: {carried}."),
        ("22", "Model specification", "recipe.yaml and checkpoints/best.ckpt."),
        ("23a", "Performance with intervals", accuracy),
    ]
    stard = [
        ("12a", "Cut-offs of the index test", decision),
        ("14", "Methods for measures of accuracy", intervals),
        ("16", "Missing data", f"{unreadable}{unknown}."),
        ("17", "Variability", subgroups),
        ("19", "Flow of participants", flow),
        ("23", "Cross tabulation", None if facts.multi_label else "Table of confusion."),
        ("24", "Accuracy and its precision", accuracy),
    ]
    return [
        {"guideline": guideline, "item": item, "topic": topic, "report": report}
        for guideline, items in (("TRIPOD+AI", tripod), ("STARD 2015", stard))
        for item, topic, report in items
        if report is not None
    ]


def _decision(evidence: Evidence) -> str:
    if evidence.adapted is not None:
        point = OperatingPoint.read(evidence.run.operating_point, evidence.class_names)
        return f"chosen on validation: {' '.join(point.words)}"
    if evidence.facts.multi_label:
        return "a label is decided to be present from probability 0.5 on, which was fixed beforehand."
    return "the most probable class is decided for; no threshold was chosen."
