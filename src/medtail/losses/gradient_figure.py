"""The gradient-analysis figure (ALPA Fig. 1) for any set of losses."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from medtail import checks
from medtail.files import replacing
from medtail.losses.catalogue import LOSSES, create_loss, takes_setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Three classes, because AdaCos's scale is 0 for two.
COUNTS = [900, 90, 10]
TRUE_CLASS = 2
SIZE = 201


class GradientCurve(NamedTuple):
    """How strongly a loss pulls on one output of a sample.

    Attributes:
        probability: The probability that the outputs give the class ``(201,)``, increasing.
        gradient: N·|∂loss/∂output|, ``(201,)``.
    """

    probability: np.ndarray
    gradient: np.ndarray


def gradient_curve(key: str, class_id: int) -> GradientCurve:
    """Return the pull on the output of one class while that output sweeps from low to high.

    The sample belongs to the rarest of three classes, whose training counts are 900, 90 and 10; one undecided sample of
    each other class completes its batch. Logits sweep [-8, 8] and cosines [-0.999, 0.999], at scale 8 where the loss
    takes one.

    Args:
        key: A key of :data:`LOSSES`.
        class_id: :data:`TRUE_CLASS` for the positive, any other class for a negative.
    """
    settings = {"scale": 8.0} if takes_setting(key, "scale") else {}
    loss = create_loss(key, class_counts=COUNTS, settings=settings).eval()
    reach = {"logits": 8.0, "cosines": 0.999}[loss.expects]
    targets = torch.tensor([TRUE_CLASS, 0, 1])
    batches = torch.zeros(SIZE, len(targets), len(COUNTS), dtype=torch.float64)
    batches[:, 0, class_id] = torch.linspace(-reach, reach, SIZE, dtype=torch.float64)
    batches.requires_grad_()
    total = torch.stack([loss(batch, targets) for batch in batches.unbind()]).sum()
    (gradients,) = torch.autograd.grad(total, batches)
    samples = batches[:, 0].detach()
    # Binary decisions give each class σ(z); softmax gives it a share of 1.
    probabilities = loss.label_probabilities(samples) if loss.multi_label else loss.probabilities(samples)
    return GradientCurve(
        probabilities[:, class_id].numpy(), len(targets) * gradients[:, 0, class_id].abs().numpy()
    )


def plot_gradients(losses: Sequence[str], path: Path | str) -> Path:
    """Draw N·|∂loss/∂output| against the probability, for the true class and for a wrong one (ALPA Fig. 1).

    Args:
        losses: Keys of :data:`LOSSES`; an empty list draws all of them.
        path: The file to write; its suffix chooses the format.

    Returns:
        The path.

    Raises:
        InputError: A key is unknown.
    """
    # Imported here, because a training loop needs the losses but no Matplotlib.
    from matplotlib.figure import Figure

    for key in losses:
        checks.choice("losses", key, LOSSES)
    figure = Figure(figsize=(11, 5), layout="constrained")
    positive, negative = figure.subplots(1, 2)
    for index, key in enumerate(losses or LOSSES):
        style = {"linestyle": ["-", "--", ":"][index // 10 % 3], "color": f"C{index % 10}", "label": key}
        positive.plot(*gradient_curve(key, TRUE_CLASS), **style)
        negative.plot(*gradient_curve(key, 0), **style)
    _label(positive, "true class (the rarest of three)")
    _label(negative, "a wrong class (the most frequent)")
    figure.legend(*positive.get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    path = Path(path)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lstrip(".") or "png", dpi=150)
    return path


def _label(axes: "Axes", title: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("probability that the sample's outputs give the class")
    axes.set_ylabel("N · |∂ loss / ∂ output|")
    axes.set_yscale("symlog", linthresh=1e-2)
    axes.grid(alpha=0.3)
