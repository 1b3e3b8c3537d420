"""Sharpness-aware minimisation: steps along the gradient at the worst point near the weights."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from medtail import checks
from medtail.errors import InputError


@final
class SAM(Optimizer):
    """Sharpness-aware minimisation (Foret et al., ICLR 2021, eq. 2) around any optimizer.

    One step takes two gradients::

        g = ∇L(w),  ε = ρ · g / (‖g‖₂ + 1e-12),  w ← base step from w along ∇L(w + ε)

    with one norm over all parameters. With ``adaptive``, the neighbourhood is scaled by the weights, T = |w|
    elementwise (ASAM, Kwon et al., ICML 2021, with η = 0): ε = ρ · T²g / (‖Tg‖₂ + 1e-12).

    Args:
        params: Parameters or parameter groups; a group may have its own ``rho`` and ``adaptive``.
        base_optimizer: The class of the optimizer that takes the step, such as ``torch.optim.SGD``.
        rho: The radius ρ: 0.05 in Foret et al., 0.1 in LCT's experiments, about ten times as much when adaptive.
        adaptive: Scale the neighbourhood by the weights.
        **kwargs: Arguments of the base optimizer, such as ``lr``.

    Raises:
        InputError: ``rho`` is negative or not finite, or ``base_optimizer`` is an instance.

    The second pass differs from the first only in the weights. PyTorch's generators repeat their draws (dropout,
    augmentation), and what modules in training mode keep in buffers, such as batch-norm statistics, is updated once per
    step, by the first pass. The base optimizer uses the gradient of the second pass, so this is the one that clipping
    inside the closure acts on; scaling the first gradient changes nothing. Parameters without a gradient stay where
    they are; a first gradient with an infinity or NaN gives ε = 0. Nothing waits for the device.

    Parameter groups and state are the base optimizer's: learning-rate schedulers act on this object, and its
    ``state_dict`` holds everything. Under ``DistributedDataParallel``, gradients are means over ranks, so every rank
    has the same ε, and the step is that of one process with the joined batch. Sharded parameters are not supported: the
    norm would be the shard's.

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

    The ``step`` of a gradient scaler (float16) takes no closure, so both passes come before it:

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
        checks.number("rho", rho, low=0, remedy="0.05 is usual")
        super().__init__(params, {"rho": rho, "adaptive": adaptive, **kwargs})
        for group in self.param_groups:
            checks.number("rho", group["rho"], low=0, remedy="0.05 is usual")
        self.base_optimizer = base_optimizer(self.param_groups, **kwargs)
        self.defaults = {**self.base_optimizer.defaults, "rho": rho, "adaptive": adaptive}
        # Both share one set of groups and one state, so that a change of either is a change for both.
        self.param_groups = self.base_optimizer.param_groups
        self.state = self.base_optimizer.state
        #: A copy of w while the weights are at w + ε. Its memory is kept, because allocating costs more than copying.
        self._originals: dict[Tensor, Tensor] = {}
        self._moved: list[Tensor] | None = None
        self._buffers = _KeptBuffers()
        # An optimizer that is dropped while perturbed must leave no hook behind.
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
                twice. After :meth:`both_passes`, or :meth:`perturb` and :meth:`restore`, leave it out: the step then
                uses the gradients that are there.

        Returns:
            The loss at the weights from which the step starts; None without a closure.

        Raises:
            InputError: There is neither a closure nor a second gradient.
        """
        loss = None if closure is None else self.both_passes(closure)
        if self.is_perturbed or not self._has_both_gradients:
            raise InputError(
                "SAM.step needs a closure that zeroes the gradients, computes the loss and calls backward, or "
                "both gradients taken before, got neither; pass one, or call both_passes(closure) first"
            )
        self._has_both_gradients = False
        self.base_optimizer.step()
        return loss

    def both_passes(self, closure: Callable[[], Any]) -> Any:
        """Leave the gradient of the second pass in the parameters, for :meth:`step` without a closure.

        Afterwards the weights are back where they were, even if the closure raises.

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
        """Move the weights to w + ε along the present gradients, which may be those of a multiple of the loss.

        It is meant for loops without a closure. Buffers of modules keep their values until :meth:`restore`, which must
        follow whatever happens::

            loss(model(images), targets).backward()
            optimizer.perturb()
            try:
                optimizer.zero_grad()
                loss(model(images), targets).backward()
            finally:
                optimizer.restore()
            optimizer.step()

        :meth:`both_passes` does the same, and repeats the draws of the first pass in the second.

        Raises:
            InputError: The weights are already perturbed, or a gradient is sparse.
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
        # A product with 0 would keep NaN, and an `if` would wait for the device.
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
        """Move the weights back to exactly w; the gradients stay.

        Raises:
            InputError: The weights are not perturbed.
        """
        if self._moved is None:
            raise InputError(
                "SAM.restore needs perturbed weights, got weights that are not; call perturb() first"
            )
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
        """Load settings and state, including the base optimizer's."""
        super().load_state_dict(state_dict)
        self.base_optimizer.__setstate__({"state": self.state, "param_groups": self.param_groups})

    def __getstate__(self) -> dict[str, Any]:
        if self.is_perturbed:
            raise InputError("SAM must not be copied while its weights are perturbed; call restore() first")
        own = ("base_optimizer", "_originals", "_moved", "_buffers", "_has_both_gradients")
        return {**super().__getstate__(), **{name: getattr(self, name) for name in own}}


def _in_the_metric(group: dict[str, Any], parameter: Tensor, *, power: int) -> Tensor:
    """Return T^power · g, where T is |w| for an adaptive group and 1 otherwise."""
    gradient = parameter.grad
    assert gradient is not None
    if not group["adaptive"]:
        return gradient
    scaled: Tensor = parameter.abs().pow(power).mul_(gradient)
    return scaled


def _norm(parts: list[Tensor]) -> Tensor:
    """Return the Euclidean norm of all entries in float32 or better, because squares of half precision overflow."""
    if not parts:
        return torch.zeros(())
    norms = [
        torch.linalg.vector_norm(part, dtype=torch.promote_types(part.dtype, torch.float32)) for part in parts
    ]
    norm: Tensor = torch.linalg.vector_norm(torch.stack([norm.to(parts[0].device) for norm in norms]))
    return norm


@final
class _Draws:
    """The states of PyTorch's generators on the CPU and the given devices at the time of construction."""

    def __init__(self, devices: Iterable[torch.device]) -> None:
        self._states = {device: _generator(device)[0]() for device in {torch.device("cpu"), *devices}}

    def repeat(self) -> None:
        """Let the generators repeat what they have drawn since."""
        for device, state in self._states.items():
            _generator(device)[1](state)


def _generator(device: torch.device) -> tuple[Callable[[], Tensor], Callable[[Tensor], None]]:
    """Return functions that read and write the state of a device's generator, which lives on the host."""
    match device.type:
        case "cpu":
            return torch.get_rng_state, torch.set_rng_state
        case "mps":
            return torch.mps.get_rng_state, torch.mps.set_rng_state
    module = torch.get_device_module(device)
    return lambda: module.get_rng_state(device), lambda state: module.set_rng_state(state, device)


@final
class _KeptBuffers:
    """Restore the buffers that modules in training mode write between start and stop.

    Modules are noticed when they are called, so that none need to be named. A hook notices the outermost module and all
    its submodules, and is removed before these run, so that compiled ones stay compiled.
    """

    def __init__(self) -> None:
        self._values: list[tuple[nn.Module, str, Tensor, Tensor]] = []
        self._noticed: set[nn.Module] = set()
        self._hook: RemovableHandle | None = None
        self._ends: dict[nn.Module, RemovableHandle] = {}

    def start(self) -> None:
        """Notice every module that is called from now on, and keep the values of its buffers."""
        if self._hook is None:
            self._hook = register_module_forward_pre_hook(self._enter)

    def stop(self) -> None:
        """Restore the values of the buffers."""
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
        # Only stop removes it: when it is called after forward raised, the module is still iterating over its hooks.
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
