"""Loss-conditional training: one model for a whole family of losses."""

import inspect
from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import Literal, final

import numpy as np
import torch
from torch import Tensor, nn

from medtail import checks
from medtail.errors import InputError
from medtail.heads import Head
from medtail.losses.pipeline import ClassificationLoss
from medtail.methods.base import Batch, StepOutput
from medtail.methods.conditional import Condition, Conditional
from medtail.methods.families import LossFamily
from medtail.methods.linear_density import LinearDensity
from medtail.methods.mixed_targets import batch_loss
from medtail.methods.one_head import OneHeadMethod
from medtail.modulation import MODULATIONS, Modulation, NoModulation
from medtail.naming import nearest

#: Keeps the draws of λ apart from every other use of (seed, step).
_STREAM = (0x4C4354,)


@final
class LossConditional(OneHeadMethod, Conditional):
    r"""Train one model over a distribution of a loss's hyper-parameters λ, and choose λ after training.

    .. math:: \theta^* = \arg\min_\theta E_{\lambda\sim P_\Lambda} E_{(x, y)\sim D}
              \mathcal L(y, f(x, \theta, \lambda), \lambda)

    (eq. 7). Each training step draws one λ, each of its parameters from its own linear density. λ goes to the loss,
    and to the network through :class:`medtail.heads.FiLM` between backbone and head. In evaluation λ is
    ``condition``, which is the mean of the densities until :meth:`set_condition` changes it. Outputs for any other λ
    follow from the same backbone features.

    Args:
        backbone: Images ``(N, channels, H, W)`` to features ``(N, D)``, with ``num_features`` = D.
        head: Features to outputs ``(N, C)``.
        loss_family: A function of λ by name, ``functools.partial(VectorScalingLoss, class_counts)`` for instance;
            its losses keep no state.
        distributions: The density of each parameter, by its name; the paper has (γ, τ) of vector scaling and (α, φ)
            of focal loss.
        seed: λ of a step depends on ``(seed, step)`` alone: every rank, both passes of SAM and a resumed training
            draw the same.
        film: ``"identity"`` starts without modulation, ``"plain"`` with PyTorch's initialisation, and ``"none"``
            leaves FiLM out, so that λ reaches only the loss (the ablation).
        film_position: ``"features"`` modulates the head's input, as in the paper; ``"logits"`` its C outputs, as the
            released code of a sibling project does with its ResNeXt.
        default: λ in evaluation. Parameters left out default to the mean of their density.

    Raises:
        InputError: The loss has no such parameter, the distributions hold a λ that is not legal for it, its losses
            keep state, head and loss do not fit, or FiLM is to act on cosines, which it would move out of [-1, 1].

    Under distributed training the mean over ranks of the gradients is that of one process with the joined batch,
    batch normalisation aside. The trainer calls :meth:`set_step` before every step.

    Example:
        >>> from functools import partial
        >>> from medtail.backbones import create_backbone
        >>> from medtail.heads import LinearHead
        >>> from medtail.losses import VectorScalingLoss
        >>> method = LossConditional(
        ...     create_backbone("resnet8"),
        ...     LinearHead(64, 2),
        ...     partial(VectorScalingLoss, [900, 100]),
        ...     {"gamma": LinearDensity(0, 0.3, 3.3), "tau": LinearDensity(0, 3, 0.33)},
        ... )
        >>> method.set_step(0)
        >>> batch = {"image": torch.randn(8, 3, 28, 28), "target": torch.arange(8) % 2}
        >>> method(batch).loss.backward()
        >>> features = method.eval().features(batch["image"])
        >>> method.predict_features(features, {"gamma": 0.0, "tau": 2.0}).shape
        torch.Size([8, 2])

    Source: LCT §4.2, §4.3; Dosovitskiy & Djolonga, 2020.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: Head,
        loss_family: LossFamily,
        distributions: Mapping[str, LinearDensity],
        *,
        seed: int = 0,
        film: Literal["identity", "plain", "none"] = "identity",
        film_position: Literal["features", "logits"] = "features",
        default: Condition | None = None,
    ) -> None:
        _check_names(loss_family, distributions)
        _check_corners(loss_family, distributions)
        condition = _whole_condition(distributions, default or {})
        super().__init__(backbone, head, loss_family(**condition))
        self.loss_family = loss_family
        self.distributions = MappingProxyType(dict(distributions))
        self.seed = checks.whole_number("seed", seed, low=0)
        checks.choice("film", film, MODULATIONS)
        sizes = {"features": _num_features(backbone), "logits": len(head.class_centres)}
        size = sizes[checks.choice("film_position", film_position, sizes)]
        if film_position not in ("features", head.emits):
            raise InputError(
                f"film_position must be features for a head that emits {head.emits}, got {film_position}: FiLM would "
                f"move cosines out of [-1, 1]; take a loss of logits"
            )
        modulations: dict[str, Modulation] = {"features": NoModulation(), "logits": NoModulation()}
        modulations[film_position] = MODULATIONS[film](size, len(distributions))
        self.modulation, self.logit_modulation = modulations.values()
        self._condition = condition
        self._step: int | None = None
        self._epoch = 0

    def forward(self, batch: Batch) -> StepOutput:
        """Compute the loss of one batch; in training, at the λ of the step."""
        condition = self._condition_of_this_step() if self.training else self._condition
        outputs = self.predict_features(self.features(batch["image"]), condition)
        loss = self.loss_at(condition).to(outputs.device)
        terms = {f"drawn_{name}": torch.tensor(value) for name, value in condition.items()}
        return StepOutput(loss=batch_loss(loss, outputs, batch), outputs=outputs, terms=terms)

    def head_input(self, features: Tensor) -> Tensor:
        """Return the features as modulated by ``condition`` ``(N, D)``."""
        return self._modulated(features, self._condition)

    def predict_features(self, features: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the head's outputs ``(N, C)`` for the backbone's features ``(N, D)`` at any λ.

        Args:
            features: As :meth:`features` gives them.
            condition: λ; ``self.condition`` by default.
        """
        condition = self._condition if condition is None else condition
        outputs: Tensor = self.head(self._modulated(features, condition))
        modulated: Tensor = self.logit_modulation(outputs, self._values(condition, outputs.device))
        return modulated

    def _modulated(self, features: Tensor, condition: Condition) -> Tensor:
        modulated: Tensor = self.modulation(features, self._values(condition, features.device))
        return modulated

    def probabilities_at(self, features: Tensor, condition: Tensor) -> Tensor:
        """Return class probabilities ``(N, C)`` at a λ that is a tensor ``(L,)``."""
        outputs = self.logit_modulation(self.head(self.modulation(features, condition)), condition)
        names = list(self.distributions)
        if "scale" in names:
            # Of all parameters of a loss, only the scale has a part in how its outputs are read, as a factor on them.
            outputs = outputs * (condition[names.index("scale")] / self._condition["scale"])
        return self.loss.probabilities(outputs)

    def _values(self, condition: Condition, device: torch.device) -> Tensor:
        return torch.tensor([float(condition[name]) for name in self.distributions], device=device)

    def loss_at(self, condition: Condition) -> ClassificationLoss:
        """Return the loss of one λ, which also reads outputs of that λ as probabilities.

        Raises:
            InputError: λ lacks a parameter, has another, or is not legal for the loss.
        """
        loss = self.loss_family(**_checked(self.distributions, condition))
        loss.set_epoch(self._epoch)
        # What the head emits was checked when the method was built, and a new loss in every step would read it again.
        loss.outputs_are_checked = True
        return loss

    @property
    def conditional(self) -> Conditional:
        """The method itself."""
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights of the last layer are."""
        return self.head.class_centres.device

    @property
    def condition(self) -> Condition:
        """λ that prediction, probabilities and evaluation use now."""
        return MappingProxyType(self._condition)

    def set_condition(self, condition: Condition) -> None:
        """Use another λ from here on; it may lie outside the distributions.

        Raises:
            InputError: λ lacks a parameter, has another, or is not legal for the loss.
        """
        self.loss = self.loss_at(condition).to(self.device).train(self.training)
        self._condition = _checked(self.distributions, condition)

    def drawn_condition(self, step: int) -> dict[str, float]:
        """Return λ of a training step (from 0): a function of the seed and the step alone."""
        entropy = np.random.SeedSequence([self.seed, step], spawn_key=_STREAM)
        generator = torch.Generator().manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> 1))
        return {name: density.sample(generator) for name, density in self.distributions.items()}

    def _condition_of_this_step(self) -> dict[str, float]:
        if self._step is None:
            raise InputError(
                "LossConditional must be told the training step, got none; call set_step(step) before each forward, "
                "or eval() to use its condition"
            )
        return self.drawn_condition(self._step)

    def set_step(self, step: int) -> None:
        """Remember the step, whose λ the next forward in training draws."""
        self._step = step

    def set_epoch(self, epoch: int) -> None:
        """Tell the schedules in the losses of all λ which epoch (from 0) begins."""
        self._epoch = epoch
        super().set_epoch(epoch)


def _num_features(backbone: nn.Module) -> int:
    if not isinstance(getattr(backbone, "num_features", None), int):
        raise InputError(
            f"backbone must have the attribute num_features, {type(backbone).__name__} has no num_features; "
            f"take one from create_backbone, or set the attribute"
        )
    return int(backbone.num_features)  # type: ignore[arg-type]


def _check_names(family: LossFamily, distributions: Mapping[str, LinearDensity]) -> None:
    """Refuse names that the family does not take, as far as its signature tells them."""
    if not distributions:
        raise InputError(
            "distributions must name at least one parameter of the loss, got none; train one loss with Supervised"
        )
    parameters = inspect.signature(family).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY]
    for name in distributions:
        if name not in known:
            raise InputError(
                f"distributions must name parameters of the loss ({', '.join(known)}), "
                f"got {name!r}{nearest(name, known)}"
            )


def _check_corners(family: LossFamily, distributions: Mapping[str, LinearDensity]) -> None:
    """Refuse distributions with a λ that the loss refuses; its rules are intervals, so the corners decide."""
    ends = [(density.low, density.high) for density in distributions.values()]
    for values in product(*ends):
        condition = dict(zip(distributions, values, strict=True))
        try:
            loss = family(**condition)
        except InputError as error:
            raise InputError(
                f"distributions must hold only values the loss takes, got {_words(condition)}: {error}"
            ) from error
        if loss.state_dict():
            raise InputError(
                f"loss_family must give losses without state, {type(loss).__name__} keeps "
                f"{', '.join(loss.state_dict())}, which the loss of the next step would not know; "
                f"give the setting that is measured a number"
            )


def _whole_condition(distributions: Mapping[str, LinearDensity], given: Condition) -> dict[str, float]:
    """Return λ, with the mean of its density for each parameter that is not given.

    Raises:
        InputError: A parameter has no density.
    """
    means = {name: density.mean for name, density in distributions.items()}
    return _checked(distributions, {**means, **given})


def _checked(distributions: Mapping[str, LinearDensity], condition: Condition) -> dict[str, float]:
    """Return λ in the order of the distributions."""
    if set(condition) != set(distributions):
        raise InputError(
            f"condition must give a value to each of {', '.join(distributions)} and to nothing else, "
            f"got {_words(condition) or 'none'}"
        )
    return {name: checks.number(name, condition[name]) for name in distributions}


def _words(condition: Condition) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in condition.items())
