"""Write docs/distributed.md: how far two real processes are from one, for every loss.

PYTHONPATH=tests python tests/distributed/table.py --write docs/distributed.md
"""

import argparse
import socket
import tempfile
from pathlib import Path

import torch
import torch.multiprocessing as multiprocessing
from distributed.ranks import CASES, SHARES, process, value_and_gradient

from medtail.files import write_text

INTRODUCTION = """# Several processes

In distributed data-parallel training, the mean over ranks of a loss, and of the gradients of the parameters, is that of
one process with the joined batch. Losses that count within the batch (DAL, AWB, soft F1, soft MCC, batch weights) count
in the batches of all ranks. Every reduction divides by sums over ranks, so this also holds for a last batch of unequal
parts. Losses are collectives: every rank must call them equally often.

Two gloo processes measure the table on a batch of 12 images (float64, 5 classes, one of them absent from the batch). It
shows the largest absolute difference from one process, of value and gradient, over two epochs and every reduction of
the loss. Tests hold it below 1e-6. The table is written by `PYTHONPATH=tests python tests/distributed/table.py --write
docs/distributed.md`.

Gradient accumulation is another matter: for a loss that counts within the batch, several small batches are not one
large one, so training refuses `training.accumulate_batches` > 1 with such a loss.
"""


def main() -> None:
    """Start the two processes, compare them, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True)
    write_text(parser.parse_args().write, page(differences()))


def differences() -> dict[tuple[str, str], float]:
    """The largest difference of each composition and share."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        multiprocessing.spawn(process, args=(port, folder), nprocs=2)
        ranks = [torch.load(f"{folder}/{rank}.pt")["losses"] for rank in range(2)]
    largest: dict[tuple[str, str], float] = {}
    for composition, reduction in CASES:
        expected = value_and_gradient(composition, reduction, slice(None))
        for share in SHARES:
            for results in ranks:
                pairs = zip(results[share, composition, reduction], expected, strict=True)
                difference = max(float((ours - theirs).abs().max()) for ours, theirs in pairs)
                largest[composition, share] = max(largest.get((composition, share), 0.0), difference)
    return largest


def page(largest: dict[tuple[str, str], float]) -> str:
    """The page with its table."""
    header = [f"{first} + {second} images" for first, second in SHARES.values()]
    lines = [INTRODUCTION, f"| loss | {' | '.join(header)} |", "| --- |" + " ---: |" * len(header)]
    for composition in dict.fromkeys(composition for composition, _ in CASES):
        cells = [f"{largest[composition, share]:.0e}" for share in SHARES]
        lines.append(f"| {composition} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
