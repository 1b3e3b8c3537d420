"""Two processes draw an epoch once between them, in balanced batches, in other people's loops: docs/other_frameworks.md
has one row per case."""

import socket
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing
from distributed.frameworks_ranks import (
    BATCH_SIZE,
    EPOCHS,
    TARGETS,
    Epochs,
    in_hugging_face,
    in_loops,
    process,
)

from medtail.data.samplers import ClassBalancedSampler, PairedSampler, StratifiedOversampler


def in_two_processes(work, folder) -> list[dict[str, Epochs]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(process, args=(port, str(folder), work), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def single_draw(number: int = len(TARGETS)) -> list[list[int]]:
    """The epochs of one process."""
    sampler = StratifiedOversampler(TARGETS[:number], num_replicas=1, rank=0)
    orders = []
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    return orders


def classes(batch: list[int]) -> list[int]:
    return np.bincount(TARGETS[batch], minlength=3).tolist()


@pytest.fixture(scope="module")
def loops(tmp_path_factory):
    ranks = in_two_processes(in_loops, tmp_path_factory.mktemp("loops"))

    def of(loop: str) -> list[Epochs]:
        if loop not in ranks[0]:
            pytest.skip("accelerate is not installed")
        return [rank[loop] for rank in ranks]

    return of


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory):
    if find_spec("transformers") is None or find_spec("accelerate") is None:
        pytest.skip("transformers is not installed")
    return in_two_processes(in_hugging_face, tmp_path_factory.mktemp("hugging_face"))


def check_is_one_draw(ranks: list[Epochs]) -> None:
    """Every epoch is that of one process, dealt out batch by batch; every batch holds four of each class."""
    for epoch, whole in enumerate(single_draw()):
        batches = [batch for pair in zip(*(rank[epoch] for rank in ranks), strict=True) for batch in pair]
        assert [position for batch in batches for position in batch] == whole
        assert [classes(batch) for batch in batches] == [[4, 4, 4]] * 8
    assert ranks[0][0] != ranks[0][1]


@pytest.mark.parametrize(
    "loop",
    [
        "plain",
        "Lightning",
        "Lightning, batch sampler, left alone",
        "Fabric",
        "accelerate",
        "accelerate, batch sampler",
        "accelerate, dispatch_batches",
    ],
)
def test_two_processes_draw_each_epoch_once_in_balanced_batches(loops, loop) -> None:
    check_is_one_draw(loops(loop))


@pytest.mark.slow
def test_hugging_face_draws_each_epoch_once_in_balanced_batches(hugging_face) -> None:
    check_is_one_draw([rank["Hugging Face"] for rank in hugging_face])


def test_a_loader_made_before_the_process_group_is_divided_too(loops) -> None:
    ranks = loops("made before the group")
    batches = [batch for pair in zip(*(rank[0] for rank in ranks), strict=True) for batch in pair]
    assert [position for batch in batches for position in batch] == single_draw()[0]


def test_accelerate_splits_batches_into_balanced_parts(loops) -> None:
    ranks = loops("accelerate, split_batches")
    for epoch, whole in enumerate(single_draw()):
        pairs = zip(*(rank[epoch] for rank in ranks), strict=True)
        assert [position for pair in pairs for part in pair for position in part] == whole
        for rank in ranks:
            assert [classes(part) for part in rank[epoch]] == [[2, 2, 2]] * 8


def test_accelerate_fills_the_last_batch_with_the_first_positions(loops) -> None:
    def dealt(loop: str, epoch: int) -> list[int]:
        pairs = zip(*(rank[epoch] for rank in loops(loop)), strict=True)
        return [position for pair in pairs for batch in pair for position in batch]

    for epoch, whole in enumerate(single_draw(90)):
        assert dealt("accelerate, uneven", epoch) == whole + whole[:6]
        assert dealt("accelerate, uneven, even_batches=False", epoch) == whole


def test_lightning_replaces_a_batch_sampler_and_what_it_draws_from(loops) -> None:
    for rank in loops("Lightning, batch sampler"):
        for batches in rank:
            assert {len(batch) for batch in batches} == {1}  # the batch size is lost
            positions = [batch[0] for batch in batches]
            assert len(set(positions)) == len(positions) == 48  # a plain shuffled half of the images


# --- in one process


@pytest.mark.parametrize("seed", range(3))
def test_without_a_batch_size_places_are_consecutive_so_that_any_batch_is_balanced(seed) -> None:
    targets = np.repeat([0, 1, 2, 3], [40, 30, 20, 6])
    whole = list(StratifiedOversampler(targets, seed=seed))
    parts = [list(StratifiedOversampler(targets, seed=seed, num_replicas=2, rank=rank)) for rank in range(2)]
    assert parts[0] + parts[1] == whole
    for part in parts:
        counts = [np.bincount(targets[part[start : start + 8]]).tolist() for start in range(0, 48, 8)]
        assert counts == [[2, 2, 2, 2]] * 6


def test_pairs_are_left_as_they_are_too() -> None:
    def pairs(**settings) -> PairedSampler:
        return PairedSampler(
            StratifiedOversampler(TARGETS, batch_size=BATCH_SIZE, **settings),
            ClassBalancedSampler(TARGETS, batch_size=BATCH_SIZE, seed=1, **settings),
        )

    assert isinstance(pairs(), torch.utils.data.distributed.DistributedSampler)
    second = pairs(num_replicas=2, rank=1)
    assert (second.num_replicas, second.rank, len(second)) == (2, 1, 48)
    assert list(pairs())[BATCH_SIZE : 2 * BATCH_SIZE] == list(second)[:BATCH_SIZE]


def test_lengths_are_those_of_a_distributed_sampler() -> None:
    sampler = StratifiedOversampler(TARGETS[:95], num_replicas=2, rank=1)
    assert (sampler.num_replicas, sampler.rank, sampler.num_samples, sampler.total_size) == (2, 1, 47, 94)
