"""The pull of losses on one output of a sample (ALPA Fig. 1)."""

from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from matplotlib.figure import Figure
from pydantic import Field

from medtail.evaluation.report.drawing import INK, SERIES, draw
from medtail.experiments.reproductions.kinds.base import DrawnFigure, Findings, Kind
from medtail.experiments.reproductions.plan import PlannedPart
from medtail.losses import create_loss
from medtail.recipes.schema import Settings

_SIZE = 201


@final
class GradientLoss(Settings):
    """A curve of the figure."""

    label: str
    loss: str
    set: dict[str, Any] = Field(default_factory=dict)


@final
class Gradients(Kind):
    """|∂loss/∂z| of one binary decision against its probability, for a negative and for a positive label.

    Attributes:
        losses: Losses of binary decisions.
    """

    needs_data: ClassVar[bool] = False

    name: Literal["gradients"]
    losses: list[GradientLoss]

    def findings(self, part: PlannedPart) -> Findings:
        curves = {entry.label: _pulls(entry) for entry in self.losses}
        probability = 1 / (1 + np.exp(-_LOGITS.numpy()))

        def paint(figure: Figure) -> None:
            for axes, label in zip(figure.subplots(1, 2), (0, 1), strict=True):
                for colour, (name, pulls) in zip(SERIES, curves.items(), strict=False):
                    axes.plot(probability, pulls[label], color=colour, label=name if label == 0 else None)
                axes.set_title(("Label absent", "Label present")[label])
                axes.set_xlabel("probability of the label")
                axes.set_ylabel("|∂ loss / ∂ z|")
            figure.legend(loc="outside lower left", ncols=4, labelcolor=INK)

        drawing = draw(
            paint,
            width=8.8,
            height=3.9,
            description=f"Gradients of {', '.join(curves)} against the probability",
        )
        return Findings(
            figures=[DrawnFigure("One label of one sample; the paper draws the left half.", drawing)]
        )


_LOGITS = torch.linspace(-8, 8, _SIZE, dtype=torch.float64)


def _pulls(entry: GradientLoss) -> tuple[np.ndarray, np.ndarray]:
    """For an absent and for a present label ``(201,)``."""
    loss = create_loss(entry.loss, class_counts=[1, 1], settings={**entry.set, "reduction": "sum"}).eval()
    pulls = []
    for label in (0.0, 1.0):
        # The second label is certain and right, so that it adds nothing.
        outputs = torch.stack([_LOGITS, torch.full_like(_LOGITS, -40.0)], dim=1).requires_grad_()
        targets = torch.tensor([[label, 0.0]], dtype=torch.float64).expand(_SIZE, 2)
        (gradients,) = torch.autograd.grad(loss(outputs, targets), outputs)
        pulls.append(gradients[:, 0].abs().numpy())
    return pulls[0], pulls[1]
