"""Methods with several branches on each of two processes; a module of its own, so that a process can import it."""

import os

import torch
import torch.distributed as dist
from methods.branches import balanced_contrastive, batch, gaussian_mixture, nested_collaborative
from torch import nn
from torch.nn.parallel import DistributedDataParallel

STEPS = 4

METHODS = {
    "bcl": balanced_contrastive,
    "gml": gaussian_mixture,
    "ncl": nested_collaborative,
}

#: How many of the 12 images each of the two ranks holds.
SHARES = {"halves": (6, 6), "unequal": (9, 3)}


def without_batch_statistics(module: nn.Module) -> nn.Module:
    """Take out batch normalisation, whose statistics are of the rank."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm1d:
            setattr(module, name, nn.Identity())
        without_batch_statistics(child)
    return module


def trained(key: str, rows: slice, wrap) -> dict[str, torch.Tensor]:
    """Train a few steps on some rows of each batch; return weights, queues and copies at the end."""
    torch.manual_seed(0)
    method = without_batch_statistics(METHODS[key]()).train()
    model = wrap(method)
    optimizer = torch.optim.SGD(method.parameter_groups(), lr=0.1)
    for step in range(STEPS):
        # What a rank did with its own generator must not matter.
        torch.manual_seed(100 * rows.indices(12)[0] + step)
        method.set_step(step)
        output = model({name: values[rows] for name, values in batch(step).items()})
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        method.after_step()
    return {name: value.clone() for name, value in method.state_dict().items()}


def process(rank: int, port: int, folder: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    results = {}
    for share, (first, _) in SHARES.items():
        rows = slice(0, first) if rank == 0 else slice(first, None)
        results[share] = {key: trained(key, rows, DistributedDataParallel) for key in METHODS}
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
