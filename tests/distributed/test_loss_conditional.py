"""Two real processes train for the same λ in every step, and end with the weights of one process."""

import socket

import pytest
import torch
import torch.multiprocessing as multiprocessing
from distributed.loss_conditional_ranks import FAMILIES, conditions_and_weights, process


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(process, args=(port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("key", FAMILIES)
def test_conditions_and_weights_are_those_of_one_process(two_processes, key: str) -> None:
    expected_conditions, expected_weights = conditions_and_weights(key, slice(None), lambda method: method)
    assert len({tuple(condition.values()) for condition in expected_conditions}) == len(expected_conditions)
    for results in two_processes:
        conditions, weights = results[key]
        assert conditions == expected_conditions
        torch.testing.assert_close(weights, expected_weights, rtol=1e-9, atol=1e-9)
