"""What a model is for, and where it ends, by what the files of its run say."""

from medtail.evaluation.report.evidence import Evidence
from medtail.naming import listing

#: With fewer test images of a class, its interval is too wide to say much.
_FEW = 30

#: The most classes that a sentence names.
MOST_NAMED = 50


def intended_use(evidence: Evidence) -> str:
    """Say what the model answers, and for whom."""
    facts = evidence.facts
    what = (
        f"which of {len(facts.class_names)} labels an image carries"
        if facts.multi_label
        else f"which of {len(facts.class_names)} classes an image is of"
    )
    names = listing(facts.class_names, most=MOST_NAMED)
    return (
        f"Research on {facts.name}: the model answers {what} ({names}), for images like those it was trained on. "
        "It is no medical device, and nothing here shows that it helps a patient."
    )


def limits(evidence: Evidence) -> list[str]:
    """Return what the run's own files say against relying on it, a sentence each."""
    facts, summary = evidence.facts, evidence.summary
    few = [f"{entry['name']} ({entry['n']})" for entry in summary["classes"] if entry["n"] < _FEW]
    copied = len(facts.test_images_with_copy)
    sentences = [
        "It was judged on one test split of the same data set; other places, scanners and populations may give other "
        "results (external validation tells).",
        "It answers every image, also those of another kind, with one of its classes.",
        *([evidence.settings.protocol] if evidence.settings.protocol else []),
        *([f"Test images that show the same as a training image: {copied}."] if copied else []),
        *(
            [f"Fewer than {_FEW} test images: {listing(few, most=MOST_NAMED)}. Their metrics say little."]
            if few
            else []
        ),
    ]
    if facts.group_column is None:
        sentences.append("No column names patients, so that a patient may be in training and in test.")
    if not len(evidence.attributes.columns):
        sentences.append(
            "The run keeps no age, sex or scanner of its images, so that subgroups were not judged."
        )
    return sentences
