"""Parameter groups for fine-tuning: a learning rate for each layer, one for the head, weight decay for weights only."""

from collections.abc import Mapping
from typing import Any, NamedTuple, final

from torch import Tensor, nn

from medtail.errors import InputError
from medtail.methods import Method
from medtail.recipes.schema import OptimizerSettings


@final
class _Place(NamedTuple):
    """Where a parameter lies, as far as the optimizer is concerned."""

    behind_the_network: bool = False
    factor: float = 1.0
    is_decayed: bool = True

    @property
    def order(self) -> tuple[bool, float, bool]:
        """Sorts the group with the whole rate to the front, because ``metrics.csv`` records that of the first."""
        return self.behind_the_network, -self.factor, not self.is_decayed

    def settings(self, optimizer: OptimizerSettings) -> dict[str, float]:
        """Return the settings of its group that differ from those of the optimizer."""
        rate = optimizer.learning_rate * self.factor
        if self.behind_the_network and optimizer.head_learning_rate is not None:
            rate = optimizer.head_learning_rate
        return ({} if rate == optimizer.learning_rate else {"lr": rate}) | (
            {} if self.is_decayed else {"weight_decay": 0.0}
        )


def parameter_groups(method: Method, settings: OptimizerSettings) -> list[dict[str, Any]]:
    """Split the parameter groups of a method as the settings of the optimizer ask.

    With ``layer_decay`` d, layer l of L has the rate of the recipe times d^(L - l); layers are counted from the stem,
    as timm groups them. What lies behind the network (head, projectors, FiLM) has the whole rate, or
    ``head_learning_rate``. With ``decay_weights_only``, parameters with at most one dimension, such as biases and the
    scales of norms, have no weight decay, nor has what the network names, such as position embeddings.

    Args:
        method: Its own groups stay apart, and their settings win.
        settings: Of the optimizer.

    Returns:
        Groups for any PyTorch optimizer; without those settings, the method's own.

    Raises:
        InputError: There is a ``layer_decay``, and the layers of the network are not known.

    Source: the grouping is :func:`timm.optim.param_groups_layer_decay`, after BEiT (Bao et al., 2022).
    """
    places: dict[Tensor, _Place] = {}
    for network in method.networks:
        places |= _places(network, settings)
    groups: list[dict[str, Any]] = []
    for group in method.parameter_groups():
        parts: dict[_Place, list[Tensor]] = {}
        for parameter in group["params"]:
            behind = _Place(
                settings.head_learning_rate is not None,
                is_decayed=not (settings.decay_weights_only and parameter.ndim <= 1),
            )
            parts.setdefault(places.get(parameter, behind), []).append(parameter)
        groups += [
            {**place.settings(settings), **group, "params": parts[place]}
            for place in sorted(parts, key=lambda place: place.order)
        ]
    return groups


def _places(network: nn.Module, settings: OptimizerSettings) -> Mapping[Tensor, _Place]:
    """Return where each parameter of a network lies."""
    is_empty = next(network.parameters(), None) is None
    if is_empty or (settings.layer_decay is None and not settings.decay_weights_only):
        return dict.fromkeys(network.parameters(), _Place())
    # Imported here because timm takes seconds, which most trainings have no need of.
    import timm.optim

    if settings.layer_decay is not None and not hasattr(network, "group_matcher"):
        raise InputError(
            f"optimizer.layer_decay must be null for {type(network).__name__}, got {settings.layer_decay:g}: the order "
            f"of its layers is not known; leave it out, or set optimizer.head_learning_rate instead"
        )
    groups = timm.optim.param_groups_layer_decay(  # type: ignore[attr-defined]
        network,
        # Any number but 0, which would take the decay from all of them.
        weight_decay=1.0,
        weight_decay_exclude_1d=settings.decay_weights_only,
        no_weight_decay_list=_named_by(network) if settings.decay_weights_only else (),
        layer_decay=settings.layer_decay or 1.0,
    )
    return {
        parameter: _Place(factor=group["lr_scale"], is_decayed=group["weight_decay"] > 0)
        for group in groups
        for parameter in group["params"]
    }


def _named_by(network: Any) -> set[str]:
    """Return the names of the parameters that a network wants without weight decay."""
    return set(network.no_weight_decay()) if hasattr(network, "no_weight_decay") else set()
