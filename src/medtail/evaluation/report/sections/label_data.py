"""What the model learned from, where images carry several labels."""

from medtail.evaluation.report.evidence import LabelEvidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.sections.augmented import augmented
from medtail.evaluation.summaries.chosen_epoch import MONITORED, monitor_of


def label_data(evidence: LabelEvidence) -> Section:
    """How many images carry each label, groups, unreadable files."""
    splits = {split: evidence.counts(split) for split in ("train", "validation", "test")}
    images = evidence.facts.num_images
    return Section(
        "data",
        "Data",
        "section_label_data.html",
        {
            "facts": evidence.facts,
            "augmented": augmented(evidence),
            "chosen_by_validation": MONITORED[monitor_of(evidence.recipe)] is not None,
            "images": images,
            "each": splits["train"].sum() / images["train"],
            "labels": [
                {
                    "name": evidence.class_names[index],
                    **{split: int(counts[index]) for split, counts in splits.items()},
                    "share": splits["train"][index] / images["train"],
                }
                for index in evidence.from_frequent_to_rare
            ],
        },
    )
