"""The work of each of two processes, in a module of its own, so that a spawned process can import it."""

import os

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parameters_to_vector

from medtail.distributed import gather_over_ranks, number_of_ranks, sum_over_ranks
from medtail.losses import COMPOSITIONS, create_loss
from medtail.losses.catalogue import takes_setting
from medtail.sam import SAM

COUNTS = [400, 37, 90, 12, 5]

#: How many of the 12 samples each of the two ranks holds.
SHARES = {"halves": (6, 6), "unequal": (9, 3), "last": (11, 1), "empty": (12, 0)}

CASES = [
    (composition, reduction)
    for composition, (key, _) in COMPOSITIONS.items()
    for reduction in ("mean", "weighted_mean", "sum")
    if reduction == "mean" or takes_setting(key, "reduction")
]


def batch():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 4, dtype=torch.float64, generator=generator)
    weight = torch.randn(4, 5, dtype=torch.float64, generator=generator) / 8
    return features, weight, torch.tensor([0, 0, 1, 0, 3, 2, 0, 1, 0, 3, 0, 1])  # class 4 is absent


def value_and_gradient(composition, reduction, rows):
    """The loss of some rows of the batch, and its gradient in the parameters that all ranks share."""
    key, settings = COMPOSITIONS[composition]
    if takes_setting(key, "reduction"):
        settings = settings | {"reduction": reduction}
    loss = create_loss(key, class_counts=COUNTS, settings=settings, num_epochs=2)
    features, weight, targets = batch()
    weight.requires_grad_()
    values = []
    for epoch in range(2):  # the second epoch sees the state that the first one left
        loss.set_epoch(epoch)
        value = loss((features[rows] @ weight).tanh(), targets[rows])
        values.append(value)
    (gradient,) = torch.autograd.grad(value, weight)
    return torch.stack(values).detach(), gradient


def soft_batch():
    """Targets that are no ids: class probabilities for one loss, labels that are partly unknown for another."""
    _, _, ids = batch()
    labels = torch.nn.functional.one_hot(ids, 5).double()
    known = labels.masked_fill(torch.arange(60).view(12, 5) % 7 == 0, torch.nan).index_fill(
        0, torch.tensor([10]), torch.nan
    )
    return {"weighted_ce": 0.8 * labels + 0.2 * labels.roll(1, 0), "asl": known}


def soft_value_and_gradient(key, reduction, rows):
    """The loss of some rows of the batch for soft targets, and its gradient."""
    loss = create_loss(
        key, class_counts=COUNTS, settings={"reduction": reduction}, unknown_labels="leave_out"
    )
    features, weight, _ = batch()
    weight.requires_grad_()
    value = loss(features[rows] @ weight, soft_batch()[key][rows])
    (gradient,) = torch.autograd.grad(value, weight)
    return value.detach(), gradient


def mean_over_ranks(tensor):
    dist.all_reduce(tensor)
    return tensor / dist.get_world_size()


def gathered_parts():
    """Gather unequal numbers of rows, and take the gradient of a sum that is weighted differently on each rank."""
    rank = dist.get_rank()
    rows = (torch.arange(3.0 - 2 * rank)[:, None] + 10 * rank).requires_grad_()
    gathered = gather_over_ranks(rows)
    ((rank + 1) * gathered.square().sum()).backward()
    total = torch.tensor([1.0 + rank], requires_grad=True)
    ((rank + 1) * sum_over_ranks(total).square()).sum().backward()
    nothing = gather_over_ranks(torch.ones(rank, 2))
    return {
        "gathered": gathered.detach(),
        "gradient": rows.grad,
        "total_gradient": total.grad,
        "nothing": nothing,
        "ranks": number_of_ranks(),
    }


def sam_weights(rows, wrap=lambda model: model):
    """The weights after four SAM steps on some rows of the batch, and those of the first perturbed pass."""
    features, _, targets = batch()
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 5)).double()
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, lr=0.3, momentum=0.9)
    trained, seen = wrap(model), []

    def closure():
        seen.append(parameters_to_vector(model.parameters()).detach().clone())
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(trained(features[rows]), targets[rows])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        return loss

    for _ in range(4):
        optimizer.step(closure)
    return {"perturbed": seen[1], "weights": parameters_to_vector(model.parameters()).detach()}


def process(rank, port, folder):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    results = {}
    for share, (first, _) in SHARES.items():
        rows = slice(0, first) if rank == 0 else slice(first, None)
        for composition, reduction in CASES:
            value, gradient = value_and_gradient(composition, reduction, rows)
            results[share, composition, reduction] = mean_over_ranks(value), mean_over_ranks(gradient)
        for key in soft_batch():
            for reduction in ("mean", "weighted_mean"):
                value, gradient = soft_value_and_gradient(key, reduction, rows)
                results["soft", share, key, reduction] = mean_over_ranks(value), mean_over_ranks(gradient)
    sam = sam_weights(slice(6 * rank, 6 * rank + 6), DistributedDataParallel)
    torch.save({"losses": results, "parts": gathered_parts(), "sam": sam}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
