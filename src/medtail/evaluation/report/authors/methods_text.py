"""A paragraph on methods, made from the recipe: what a paper says about how a model was trained and judged."""

from collections.abc import Iterator, Mapping
from typing import Any

from medtail.evaluation.report.evidence import Evidence
from medtail.losses.descriptions import PAPERS
from medtail.operating_point import OperatingPoint

_CRITERIA = {
    "balanced_accuracy": "balanced accuracy",
    "auc": "area under the ROC curve",
}

#: In place of a paper, for cross-entropy.
REFERENCE = "the reference"

#: Settings of a section that say nothing in a paper.
_NOT_SAID = ("name", "variant", "weights", "learning_rate")


def methods_text(evidence: Evidence) -> str:
    """Return the paragraph, in complete sentences without markup."""
    return " ".join(_sentences(evidence))


def _sentences(evidence: Evidence) -> Iterator[str]:
    facts, settings = evidence.facts, evidence.settings
    shape = " × ".join([str(facts.image_size)] * facts.dimensions)
    yield (
        f"We trained a {settings.get('backbone.name')} network {_weights(evidence)} on {facts.name}: "
        f"{facts.num_images['train']} training, {facts.num_images['validation']} validation and "
        f"{facts.num_images['test']} test images of {len(facts.class_names)} "
        f"{'labels' if facts.multi_label else 'classes'}, at {shape} {'voxels' if facts.dimensions == 3 else 'pixels'}."
    )
    yield splits_sentence(evidence)
    yield loss_sentence(evidence)
    yield (
        f"Training took {settings.get('training.epochs')} epochs in batches of {settings.get('training.batch_size')}, "
        f"with {str(settings.get('optimizer.name')).upper()} (learning rate {settings.get('optimizer.learning_rate')}"
        f"{_others(settings.get('optimizer'))}), the {settings.get('schedule.name')} schedule, "
        f"{settings.get('sampling.name')} sampling and seed {settings.seed}."
    )
    yield from _fine_tuning_sentences(evidence)
    augmentation = _changed(settings.get("augmentation"))
    yield (
        f"Training images were augmented ({augmentation})." if augmentation else "Images were not augmented."
    )
    yield choice_sentence(evidence)
    units = f"values of {facts.group_column}" if facts.group_column else "images"
    yield (
        f"Intervals are at 95 %: Wilson's for recalls, and percentiles of 1,000 bootstrap resamples of {units} for all "
        f"other metrics."
    )
    if evidence.adapted is not None:
        point = OperatingPoint.read(evidence.run.operating_point, evidence.class_names)
        yield f"The operating point was chosen on validation: {' '.join(point.words)}"
    versions = evidence.environment
    yield (
        f"We used medtail {versions.get('medtail', '')} with PyTorch {versions.get('torch', '')} on "
        f"{versions['hardware']}."
    )


def _weights(evidence: Evidence) -> str:
    weights = evidence.settings.get("backbone.weights")
    if weights == "published":
        return "from published weights"
    if weights in (None, "none"):
        return "from random weights"
    source = (evidence.facts.weights or {}).get("source", weights)
    return f"from the weights in {source}"


def _fine_tuning_sentences(evidence: Evidence) -> Iterator[str]:
    """Say what was trained in place of all weights, and which weights were kept."""
    settings, sizes = evidence.settings, evidence.environment
    lora = settings.get("backbone.lora")
    if lora is not None:
        yield (
            f"The network was frozen but for low-rank adapters (LoRA, rank {lora['rank']}, alpha {lora['alpha']:g}): "
            f"{sizes.get('trained_parameters', 0):,} of {sizes.get('parameters', 0):,} parameters were trained, those "
            f"of the head among them."
        )
    decay = settings.get("training.average_decay")
    if decay is not None:
        yield f"The weights are an exponential moving average over the steps of training (decay {decay:g})."


def splits_sentence(evidence: Evidence) -> str:
    """Say how images came into their splits."""
    groups = evidence.facts.group_column
    kept = (
        f"images that share a {groups} are in one split together"
        if groups
        else "no column names patients, so that several images of one patient may be in different splits"
    )
    return (
        f"Splits are those that the data give and, where they give none, drawn by class with seed "
        f"{evidence.settings.split_seed}; {kept}."
    )


def loss_sentence(evidence: Evidence) -> str:
    """Say which method and loss were used, and whose they are."""
    settings = evidence.settings
    loss = str(settings.get("loss.name"))
    paper = f" ({PAPERS[loss]})" if PAPERS.get(loss, REFERENCE) != REFERENCE else ""
    values = _others(settings.get("loss"), first="")
    return f"The method is {settings.method}, with the loss {loss}{paper}{f' ({values})' if values else ''}."


def choice_sentence(evidence: Evidence) -> str:
    """Say how the epoch was chosen."""
    settings = evidence.settings
    if settings.protocol is not None:
        return settings.protocol
    if not evidence.chosen_by_validation:
        return "The last epoch was kept, and the test images were read once."
    criterion = _CRITERIA.get(settings.monitor, settings.monitor)
    window = settings.monitor_window
    mean = "" if window == 1 else f", as a mean of {window} epochs,"
    return f"The epoch with the highest {criterion} on validation{mean} was kept, and the test images were read once."


def _others(section: Mapping[str, Any] | None, first: str = ", ") -> str:
    values = ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in (section or {}).items()
        if name not in _NOT_SAID and isinstance(value, int | float | str) and not isinstance(value, bool)
    )
    return f"{first}{values}" if values else ""


def _changed(section: Mapping[str, Any] | None) -> str:
    """The augmentations that change something."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name, value in (section or {}).items()
        if value not in (None, False, 0, 0.0, "none", "paper") and isinstance(value, int | float | str)
    )
