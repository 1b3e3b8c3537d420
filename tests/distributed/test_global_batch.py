"""Two real processes with parts of a batch equal one process with all of it: value and gradient."""

import socket

import pytest
import torch
import torch.multiprocessing as multiprocessing
from distributed.ranks import (
    CASES,
    SHARES,
    process,
    sam_weights,
    soft_batch,
    soft_value_and_gradient,
    value_and_gradient,
)

from medtail.distributed import gather_over_ranks, number_of_ranks, sum_over_ranks


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(process, args=(port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize(("key", "reduction"), CASES)
def test_value_and_gradient_are_those_of_one_process(two_processes, key, reduction):
    expected = value_and_gradient(key, reduction, slice(None))
    for results in two_processes:
        of_shares = {share: results["losses"][share, key, reduction] for share in SHARES}
        torch.testing.assert_close(of_shares, dict.fromkeys(SHARES, expected), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("reduction", ["mean", "weighted_mean"])
@pytest.mark.parametrize("key", soft_batch())
def test_soft_and_unknown_targets_count_over_all_ranks(two_processes, key, reduction, share):
    expected = soft_value_and_gradient(key, reduction, slice(None))
    for results in two_processes:
        torch.testing.assert_close(
            results["losses"]["soft", share, key, reduction], expected, rtol=1e-6, atol=1e-6
        )


def test_gather_keeps_rank_order_and_sums_gradients(two_processes):
    for rank, results in enumerate(two_processes):
        parts = results["parts"]
        assert parts["ranks"] == 2
        assert parts["gathered"].flatten().tolist() == [0.0, 1.0, 2.0, 10.0]
        own = [[0.0], [1.0], [2.0]] if rank == 0 else [[10.0]]
        # d/dx of (1 + 2)·x², the sum over ranks of what each rank differentiates
        assert parts["gradient"].tolist() == [[6 * row[0]] for row in own]
        assert parts["total_gradient"].tolist() == [(1 + 2) * 2 * 3.0]
        assert parts["nothing"].shape == (1, 2)


def test_sam_steps_are_those_of_one_process_with_the_whole_batch(two_processes):
    expected = sam_weights(slice(None))
    alone = sam_weights(slice(0, 6))
    assert (alone["perturbed"] - expected["perturbed"]).abs().max() > 1e-3  # half a batch leads elsewhere
    for results in two_processes:
        torch.testing.assert_close(results["sam"], expected, rtol=1e-10, atol=1e-12)


def test_alone_everything_is_the_identity():
    tensor = torch.ones(3)
    assert sum_over_ranks(tensor) is tensor
    assert gather_over_ranks(tensor) is tensor
    assert number_of_ranks() == 1
