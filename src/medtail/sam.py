"""Sharpness-aware minimisation: step along the gradient at the worst point near the weights."""

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from medtail.errors import InputError


@final
class SAM(Optimizer):
    """Sharpness-aware minimisation (Foret et al., ICLR 2021, eq. 2) around any optimizer.

    One step takes two gradients::

        g = ∇L(w),  ε = ρ · g / (‖g‖₂ + 1e-12),  w ← base step from w along ∇L(w + ε)

    with one norm over all parameters. With ``adaptive`` the neighbourhood is scaled by the weights, T = |w|
    elementwise (ASAM, Kwon et al., ICML 2021, with η = 0): ε = ρ · T²g / (‖Tg‖₂ + 1e-12).

    Args:
        params: Parameters or parameter groups; a group may have its own ``rho`` and ``adaptive``.
        base_optimizer: Class of the optimizer that takes the step, e.g. ``torch.optim.SGD``.
        rho: Radius ρ; 0.05 in Foret et al., 0.1 in LCT's experiments, about ten times more when adaptive.
        adaptive: Scale the neighbourhood by the weights.
        **kwargs: Arguments of the base optimizer, as ``lr``.

    Raises:
        InputError: ``rho`` is negative, or ``base_optimizer`` is an optimizer already made.

    The second pass repeats the first in all but the weights: it sees the same draws (dropout, augmentation) of
    PyTorch's generators, and what modules in training keep in buffers, such as batch-norm statistics, moves on once
    a step, by the first pass. The gradient that the base optimizer uses is the second pass's, so that is the one a
    clip inside the closure acts on; scaling the first one changes nothing. Parameters without a gradient stay; a
    first gradient with an infinity or NaN gives ε = 0. Nothing waits for the device.

    Parameter groups and state are the base optimizer's: learning-rate schedulers act on this object, and its
    ``state_dict`` holds all. Under ``DistributedDataParallel`` gradients are means over ranks, so every rank has the
    same ε and the step is that of one process with the joined batch. With sharded parameters the norm would be the
    shard's: not supported.

    Example:
        >>> model = nn.Linear(3, 2)
        >>> optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.05, lr=0.1, momentum=0.9)
        >>> images, targets = torch.randn(8, 3), torch.arange(8) % 2
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = nn.functional.cross_entropy(model(images), targets)
        ...     loss.backward()
        ...     return loss
        >>> first = optimizer.step(closure)
        >>> bool(optimizer.step(closure) < first)
        True

    With a gradient scaler, whose ``step`` takes no closure (float16), both passes come before it:

        >>> scaler = torch.amp.GradScaler("cpu")
        >>> def scaled_closure():
        ...     optimizer.zero_grad()
        ...     loss = nn.functional.cross_entropy(model(images), targets)
        ...     scaler.scale(loss).backward()
        ...     return loss
        >>> loss = optimizer.both_passes(scaled_closure)
        >>> scaler.unscale_(optimizer)
        >>> norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        >>> result = scaler.step(optimizer)
        >>> scaler.update()
    """

    def __init__(
        self,
        params: Iterable[Any],
        base_optimizer: Callable[..., Optimizer],
        rho: float = 0.05,
        adaptive: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(base_optimizer, Optimizer):
            raise InputError(
                f"base_optimizer must be a class such as torch.optim.SGD, got the optimizer "
                f"{type(base_optimizer).__name__}; pass its class, and its settings as keywords"
            )
        _check_radius(rho)
        super().__init__(params, {"rho": rho, "adaptive": adaptive, **kwargs})
        for group in self.param_groups:
            _check_radius(group["rho"])
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.defaults = {**self.base_optimizer.defaults, "rho": rho, "adaptive": adaptive}
        # One set of groups and one state: whoever changes either, changes it for both.
        self.param_groups = self.base_optimizer.param_groups
        self.state = self.base_optimizer.state
        #: Where w is kept while the weights are at w + ε; kept itself, because fresh memory costs more than the copy.
        self._originals: dict[Tensor, Tensor] = {}
        self._moved: list[Tensor] | None = None
        self._buffers = _KeptBuffers()
        # Dropped while perturbed, it leaves no hook behind.
        weakref.finalize(self, self._buffers.stop).atexit = False
        self._has_both_gradients = False

    @property
    def is_perturbed(self) -> bool:
        """Whether the weights are at w + ε: between :meth:`perturb` and :meth:`restore`."""
        return self._moved is not None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step.

        Args:
            closure: Zeroes the gradients, computes the loss, calls backward and returns the loss. It is called
                twice. None after :meth:`both_passes`, or after :meth:`perturb` and :meth:`restore`: then the
                gradients there are, are used.

        Returns:
            The loss at the weights the step starts from; None without a closure.

        Raises:
            InputError: There is no closure, and no second gradient either.
        """
        loss = None if closure is None else self.both_passes(closure)
        if self.is_perturbed or not self._has_both_gradients:
            raise InputError(
                "SAM.step needs a closure that zeroes the gradients, computes the loss and calls backward, or "
                "both gradients already taken, got neither; pass one, or call both_passes(closure) before"
            )
        self._has_both_gradients = False
        self.base_optimizer.step()
        return loss

    def both_passes(self, closure: Callable[[], Any]) -> Any:
        """Leave the gradient of the second pass in the parameters; :meth:`step` without closure then uses it.

        Weights are back where they were afterwards, also when the closure raises.

        Returns:
            What the closure returned in the first pass.
        """
        draws = _Draws(parameter.device for group in self.param_groups for parameter in group["params"])
        with torch.enable_grad():
            loss = closure()
        self.perturb()
        try:
            draws.repeat()
            with torch.enable_grad():
                closure()
        finally:
            self.restore()
        return loss

    @torch.no_grad()
    def perturb(self) -> None:
        """Move the weights to w + ε along the gradients there are, of the loss or of a multiple of it.

        For loops without a closure. From here on buffers of modules keep their values, until :meth:`restore`, which
        must follow whatever happens::

            loss(model(images), targets).backward()
            optimizer.perturb()
            try:
                optimizer.zero_grad()
                loss(model(images), targets).backward()
            finally:
                optimizer.restore()
            optimizer.step()

        :meth:`both_passes` does the same, and gives the second pass the draws of the first.

        Raises:
            InputError: The weights are perturbed already, or a gradient is sparse.
        """
        if self.is_perturbed:
            raise InputError("SAM.perturb must not be called twice in a row; call restore() in between")
        moved = [
            (group, parameter)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        if any(parameter.grad.layout != torch.strided for _, parameter in moved):
            raise InputError(
                "SAM needs dense gradients, got a sparse one; build the embedding with sparse=False"
            )
        norm = _norm([_in_the_metric(group, parameter, power=1) for group, parameter in moved])
        # A product with 0 would keep NaN; asking whether there is one would wait for the device.
        is_finite = norm.isfinite()
        scale = torch.where(is_finite, 1 / (norm + 1e-12), 0.0)
        self._moved = [parameter for _, parameter in moved]
        for group, parameter in moved:
            self._original_of(parameter).copy_(parameter)
            direction = _in_the_metric(group, parameter, power=2)
            direction = torch.where(is_finite.to(parameter.device), direction, 0.0).to(norm.dtype)
            parameter.add_(direction.mul_(scale.to(parameter.device)), alpha=group["rho"])
        self._buffers.start()

    @torch.no_grad()
    def restore(self) -> None:
        """Move the weights back to w, exactly; the gradients stay.

        Raises:
            InputError: The weights are not perturbed.
        """
        if self._moved is None:
            raise InputError("SAM.restore needs perturbed weights, these are not; call perturb() before")
        for parameter in self._moved:
            parameter.copy_(self._originals[parameter])
        self._moved = None
        self._buffers.stop()
        self._has_both_gradients = True

    def _original_of(self, parameter: Tensor) -> Tensor:
        original = self._originals.get(parameter)
        if original is None or (original.device, original.dtype) != (parameter.device, parameter.dtype):
            original = self._originals[parameter] = torch.empty_like(parameter)
        return original

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load settings and state, the base optimizer's with them."""
        super().load_state_dict(state_dict)
        self.base_optimizer.__setstate__({"state": self.state, "param_groups": self.param_groups})

    def __getstate__(self) -> dict[str, Any]:
        if self.is_perturbed:
            raise InputError("SAM must not be copied while its weights are perturbed; call restore() before")
        own = ("base_optimizer", "_originals", "_moved", "_buffers", "_has_both_gradients")
        return {**super().__getstate__(), **{name: getattr(self, name) for name in own}}


def _check_radius(rho: float) -> None:
    if not (math.isfinite(rho) and rho >= 0):
        raise InputError(f"rho must be a finite number of at least 0, got {rho!r}; 0.05 is usual")


def _in_the_metric(group: dict[str, Any], parameter: Tensor, *, power: int) -> Tensor:
    """T^power · g, where T is |w| for an adaptive group and 1 otherwise."""
    gradient = parameter.grad
    assert gradient is not None
    if not group["adaptive"]:
        return gradient
    scaled: Tensor = parameter.abs().pow(power).mul_(gradient)
    return scaled


def _norm(parts: list[Tensor]) -> Tensor:
    """The Euclidean norm of all entries, in float32 at least: squares of half precision overflow."""
    if not parts:
        return torch.zeros(())
    norms = [
        torch.linalg.vector_norm(part, dtype=torch.promote_types(part.dtype, torch.float32)) for part in parts
    ]
    norm: Tensor = torch.linalg.vector_norm(torch.stack([norm.to(parts[0].device) for norm in norms]))
    return norm


@final
class _Draws:
    """The states of PyTorch's generators, of the CPU and of the given devices, when this was made."""

    def __init__(self, devices: Iterable[torch.device]) -> None:
        self._states = {device: _generator(device)[0]() for device in {torch.device("cpu"), *devices}}

    def repeat(self) -> None:
        """Let the generators draw again what they drew since."""
        for device, state in self._states.items():
            _generator(device)[1](state)


def _generator(device: torch.device) -> tuple[Callable[[], Tensor], Callable[[Tensor], None]]:
    """Reader and writer of the state of a device's generator, which lives on the host."""
    match device.type:
        case "cpu":
            return torch.get_rng_state, torch.set_rng_state
        case "mps":
            return torch.mps.get_rng_state, torch.mps.set_rng_state
    module = torch.get_device_module(device)
    return lambda: module.get_rng_state(device), lambda state: module.set_rng_state(state, device)


@final
class _KeptBuffers:
    """From start to stop modules in training may write to their buffers; then these get their values back.

    Modules are noticed as they are called, so none need be named: the outermost with all inside it, which then run
    as always, without a hook, so that compiled ones stay compiled.
    """

    def __init__(self) -> None:
        self._values: list[tuple[nn.Module, str, Tensor, Tensor]] = []
        self._noticed: set[nn.Module] = set()
        self._hook: RemovableHandle | None = None
        self._ends: dict[nn.Module, RemovableHandle] = {}

    def start(self) -> None:
        """Notice every module that is called from now on, and what its buffers hold before."""
        if self._hook is None:
            self._hook = register_module_forward_pre_hook(self._enter)

    def stop(self) -> None:
        """Give the buffers their values back."""
        self._pause()
        for end in self._ends.values():
            end.remove()
        self._ends.clear()
        for module, name, buffer, value in self._values:
            buffer.copy_(value)
            if getattr(module, name) is not buffer:
                setattr(module, name, buffer)
        self._values.clear()
        self._noticed.clear()

    def _pause(self) -> None:
        if self._hook is not None:
            self._hook.remove()
        self._hook = None

    def _enter(self, outermost: nn.Module, _: Any) -> None:
        self._pause()
        # Removed by stop only: a module whose forward raises is still going through its hooks when they are called.
        if outermost not in self._ends:
            self._ends[outermost] = outermost.register_forward_hook(self._leave, always_call=True)
        for module in outermost.modules():
            if module not in self._noticed:
                self._noticed.add(module)
                if module.training:
                    self._values += [
                        (module, name, buffer, buffer.clone())
                        for name, buffer in module.named_buffers(recurse=False)
                    ]

    def _leave(self, *_: Any) -> None:
        self.start()
