"""Loss-conditional training in each of two processes, in a module of its own, so that a spawned one can import it."""

import os
from functools import partial

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from medtail.heads import CosineClassifier, LinearHead
from medtail.losses import DynamicAngularLoss, VectorScalingLoss
from medtail.methods import LinearDensity, LossConditional

STEPS = 3
COUNTS = [60, 30, 10]

#: A loss of single samples, and one that counts in the joined batch of all ranks.
FAMILIES = {
    "vector_scaling": (
        LinearHead,
        partial(VectorScalingLoss, COUNTS),
        {"gamma": LinearDensity(0, 0.3, 3.3), "tau": LinearDensity(0, 3, 0.33)},
    ),
    "dal": (
        CosineClassifier,
        DynamicAngularLoss,
        {"max_margin": LinearDensity(0, 0.6, 1.6), "scale": LinearDensity(2, 8, 0.1)},
    ),
}


class Pixels(nn.Sequential):
    """A backbone without batch normalisation, whose statistics are of the rank."""

    num_features = 8

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(12, 8), nn.Tanh())


def batch(step: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(12, 3, 2, 2, generator=generator, dtype=torch.float64)
    return {"image": images, "target": torch.arange(12) * (step + 1) % 3}


def conditions_and_weights(key: str, rows: slice, wrap) -> tuple[list[dict[str, float]], torch.Tensor]:
    """Train a few steps on some rows of each batch; return each step's λ and the weights at the end."""
    head, family, distributions = FAMILIES[key]
    torch.manual_seed(0)
    method = LossConditional(Pixels(), head(8, 3), family, distributions, seed=5, film="plain").double()
    model = wrap(method.train())
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    conditions = []
    for step in range(STEPS):
        # What a rank did with its own generator must not matter.
        torch.manual_seed(100 * rows.indices(12)[0] + step)
        method.set_step(step)
        output = model({name: values[rows] for name, values in batch(step).items()})
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        conditions.append({name: value.item() for name, value in output.terms.items()})
    return conditions, torch.cat([parameter.detach().flatten() for parameter in method.parameters()])


def process(rank: int, port: int, folder: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    rows = slice(0, 6) if rank == 0 else slice(6, None)
    results = {key: conditions_and_weights(key, rows, DistributedDataParallel) for key in FAMILIES}
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
