"""Sums and concatenations over all processes, with correct gradients.

Distributed data-parallel training averages the gradients of the parameters over ranks. A quantity that is summed over
ranks in the forward pass must have its gradient summed in the backward pass: a detached reduction gives the right loss,
but gradients that are too small by a factor of the number of ranks.

Without an initialised process group, every function here is the identity. With one, the functions are collectives:
every rank must call them equally often.
"""

import sys
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def number_of_ranks() -> int:
    """Return the number of processes that share the batch; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank_number() -> int:
    """Return the number of this process among those that share the batch, from 0; 0 without a process group."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def loader_processes() -> tuple[int, int]:
    """Return how many processes share what a sampler draws, and the number of this one among them.

    These are the processes of the group, unless an ``accelerate.Accelerator`` exists (Hugging Face's Trainer makes
    one): its ``prepare`` deals the batches of one draw out to all processes, so that each of them draws alone.
    """
    accelerate = sys.modules.get("accelerate.state")
    if accelerate is not None and accelerate.is_initialized():
        return 1, 0
    return number_of_ranks(), rank_number()


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Return the sum of ``tensor`` over all ranks, on every rank, differentiably.

    Args:
        tensor: A tensor that has the same shape on every rank.

    Example:
        >>> sum_over_ranks(torch.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """
    if number_of_ranks() == 1:
        return tensor
    total: Tensor = _SumOverRanks.apply(tensor)
    return total


def gather_over_ranks(tensor: Tensor) -> Tensor:
    """Return the rows of ``tensor`` from all ranks, in rank order, on every rank, differentiably.

    The ranks may hold different numbers of rows, or none. The host reads these numbers and waits for the device, unlike
    in :func:`sum_over_ranks`.

    Args:
        tensor: ``(n, …)``; all sizes but n are the same on every rank.

    Example:
        >>> gather_over_ranks(torch.tensor([[1.0], [2.0]])).shape
        torch.Size([2, 1])
    """
    if number_of_ranks() == 1:
        return tensor
    rows: Tensor = _GatherOverRanks.apply(tensor)
    return rows


class _SumOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


class _GatherOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        own_size = torch.tensor([len(tensor)], device=tensor.device)
        all_sizes = [torch.empty_like(own_size) for _ in range(dist.get_world_size())]
        dist.all_gather(all_sizes, own_size)
        context.sizes = [int(size) for size in all_sizes]

        padded = tensor.new_zeros((max(context.sizes), *tensor.shape[1:]))
        padded[: len(tensor)] = tensor
        parts = [torch.empty_like(padded) for _ in context.sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, context.sizes, strict=True)])

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        own: Tensor = torch.split(total, context.sizes)[dist.get_rank()]
        return own
