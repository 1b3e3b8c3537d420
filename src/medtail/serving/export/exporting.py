"""Exporting runs to one file, which is compared with them before it gets its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from medtail.checks import choice
from medtail.errors import InputError
from medtail.files import replacing
from medtail.inference.members import check_alike
from medtail.methods import Condition
from medtail.operating_point import MostProbable, OperatingPoint
from medtail.progress import Progress
from medtail.runs.run import Run
from medtail.serving.export.agreement import Agreement, Images, compare, condition_array
from medtail.serving.export.formats import FORMATS
from medtail.serving.export.metadata import metadata
from medtail.serving.export.programs import ConditionalProgram, DecidingProgram, MeanProgram, RunProgram
from medtail.serving.export.rules import Rule
from medtail.training.inference import TrainedModel

#: A probability in the file may differ from the run's by this.
TOLERANCE = 1e-4


@final
@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: The file.
        size: Bytes.
        agreement: How it compares with the runs.
        words: What the file does with the probabilities of the network, one sentence each.
    """

    path: Path
    size: int
    agreement: Agreement
    words: tuple[str, ...]


def export(
    runs: Sequence[Run],
    out: Path,
    *,
    format: str = "onnx",
    data: str | None = None,
    progress: Progress | None = None,
) -> Export:
    """Write one file that takes uint8 pixels to probabilities and decisions, and needs no medtail.

    The file holds normalisation, network, the reading of the outputs and, if the run has one, the operating point.
    Decoding an image and bringing it to the size of the run stay outside. It computes in float32 and takes any number
    of images. A single loss-conditional run has λ as a second input. Several runs give their mean probability, each at
    the λ of its recipe, and the most probable class.

    Args:
        runs: Finished runs of the same classes and form of images.
        out: The file.
        format: ``"onnx"``, or ``"torch"`` for :func:`torch.export.load`.
        data: Where the data of the first run are now; by default where they were.
        progress: Told about decoding.

    Returns:
        How the file compares with the runs on validation images of the first run (training images, if it kept none for
        validation).

    Raises:
        InputError: A run is not finished or was centred on masks, the runs differ in classes or form, the data are not
            at hand, a package is missing, the model cannot be exported, or a probability differs by more than 1e-4 from
            the runs'. Then ``out`` is as it was.
    """
    form = FORMATS[choice("format", format, FORMATS)]
    form.check()
    if not runs:
        raise InputError("runs must be at least one finished run, got none; name its folder")
    models = [TrainedModel.load(run) for run in runs]
    for model in models:
        model.check_needs_no_masks()
    check_alike(runs, prepared_by=("image_size", "fit", "window"))
    point = _point(models)
    rule = Rule.of_labels() if point is None else Rule.of(point)
    network, condition = _network([TrainedModel.load(run) for run in runs], point)
    images = Images.of(models[0], runs[0], data, progress)
    inputs: dict[str, Tensor] = {"pixels": images.pixels.read(images.rows[:1].repeat(2))}
    if condition is not None:
        inputs["condition"] = torch.from_numpy(condition_array(condition))
    description = metadata(models, point, rule.outputs, condition)
    with replacing(out) as temporary:
        program = DecidingProgram(network, rule).eval().requires_grad_(False)
        try:
            form.write(program, inputs, rule.outputs, description, temporary)
        except RuntimeError as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise InputError(
                f"runs must have networks that PyTorch can export to {format}, but it cannot export this one "
                f"({reason}); try the other `format`"
            ) from error
        agreement = compare(form.load(temporary), models, point, condition, images)
        if not agreement.difference <= TOLERANCE:
            raise InputError(
                f"the exported probabilities must be within {TOLERANCE:g} of the run's, but differ by up to "
                f"{agreement.difference:.3g} on {agreement.images} {agreement.split} images, so {out} was not written; "
                f"try the other `format`"
            )
        size = temporary.stat().st_size
    return Export(out, size, agreement, tuple(description["words"]))


def _point(models: Sequence[TrainedModel]) -> OperatingPoint | None:
    """What decides: the operating point of a single run, otherwise the most probable class; None for labels."""
    first = models[0]
    if first.facts.multi_label:
        return None
    if len(models) == 1 and first.run is not None and first.run.operating_point.is_file():
        return OperatingPoint.of(first.run)
    return OperatingPoint(class_names=tuple(first.facts.class_names), decision=MostProbable())


def _network(
    models: Sequence[TrainedModel], point: OperatingPoint | None
) -> tuple[nn.Module, Condition | None]:
    """The program up to probabilities, and λ that it is best used at if that is an input."""
    if len(models) > 1:
        return MeanProgram([RunProgram(model) for model in models]), None
    conditional = models[0].method.conditional
    if conditional is None:
        return RunProgram(models[0]), None
    chosen = None if point is None else point.condition
    condition = conditional.condition if chosen is None else chosen
    # In the order of the input.
    return ConditionalProgram(models[0]), {name: condition[name] for name in conditional.distributions}
