"""L-BFGS with a quadratic penalty: what fits logistic losses on frozen features."""

from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor


@final
class PenalisedLBFGS(torch.optim.LBFGS):
    r"""Minimise :math:`L(W, b) + \frac{\lambda}{2}\lVert W\rVert^2` by L-BFGS, with a search along each line.

    For the mean cross-entropy of N images this is the objective of scikit-learn's ``LogisticRegression`` with
    C = 1/(λN). Biases, as all parameters with one dimension, have no penalty.

    Args:
        params: Parameters, or groups of them, which are trained together, as one.
        lr: Where each search along a line begins.
        weight_decay: λ ≥ 0.
        iterations: Steps per call of ``step``; it ends earlier at the minimum.

    ``step`` needs a closure that computes the loss of the same images in every call.

    Example:
        >>> layer = torch.nn.Linear(2, 2)
        >>> optimizer = PenalisedLBFGS(layer.parameters(), weight_decay=0.1)
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = torch.nn.functional.cross_entropy(layer(torch.eye(2)), torch.tensor([0, 1]))
        ...     loss.backward()
        ...     return loss
        >>> _ = optimizer.step(closure)
        >>> bool(layer(torch.eye(2)).argmax(1).eq(torch.tensor([0, 1])).all())
        True

    Source: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        weight_decay: float = 0.0,
        iterations: int = 20,
    ) -> None:
        super().__init__(
            [one for part in params for one in (part["params"] if isinstance(part, dict) else [part])],
            lr=lr,
            max_iter=iterations,
            # A search along a line takes a few evaluations, and PyTorch counts those.
            max_eval=4 * iterations,
            tolerance_grad=1e-7,
            tolerance_change=1e-11,
            history_size=10,
            line_search_fn="strong_wolfe",
        )
        self.weight_decay = weight_decay

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Take up to ``iterations`` steps; return the loss, without the penalty, from which they start."""
        losses: list[Tensor] = []

        @torch.enable_grad()
        def penalised() -> Tensor:
            loss: Tensor = closure()
            losses.append(loss.detach())
            penalty = loss.new_zeros(())
            for parameter in self._weights():
                assert parameter.grad is not None
                parameter.grad.add_(parameter.detach(), alpha=self.weight_decay)
                penalty += parameter.detach().square().sum()
            return loss.detach() + self.weight_decay / 2 * penalty

        super().step(penalised)  # type: ignore[no-untyped-call]
        return losses[0]

    def _weights(self) -> list[Tensor]:
        (group,) = self.param_groups
        return [
            parameter for parameter in group["params"] if parameter.ndim > 1 and parameter.grad is not None
        ]
