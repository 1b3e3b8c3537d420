"""Less memory for more time: maps inside blocks are computed again for the gradient."""

from typing import Any

from torch import nn

from medtail.errors import InputError


def checkpoint_gradients(network: nn.Module) -> None:
    """Let the blocks of a network keep their inputs alone, and compute what lies between again in the backward pass.

    Gradients and outputs are the same, dropout included. Statistics of batch normalisation move twice per step, by the
    same batch.

    Args:
        network: Of timm, changed in place.

    Raises:
        InputError: The network cannot compute its blocks again.
    """
    timm_network: Any = network
    try:
        timm_network.set_grad_checkpointing(True)
    # timm's networks that cannot do it assert that it is off.
    except (AttributeError, AssertionError) as error:
        raise InputError(
            f"backbone.gradient_checkpointing must be false for {type(network).__name__}: it cannot compute its blocks "
            f"again; lower training.batch_size and raise training.accumulate_batches instead"
        ) from error
