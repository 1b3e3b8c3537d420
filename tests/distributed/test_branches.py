"""Two real processes share keys, queues and momentum copies, and end with the state of one process."""

import socket

import pytest
import torch
import torch.multiprocessing as multiprocessing
from distributed.branches_ranks import METHODS, SHARES, process, trained


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(process, args=(port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("key", METHODS)
def test_weights_and_memories_are_those_of_one_process(two_processes, key: str, share: str) -> None:
    expected = trained(key, slice(None), lambda method: method)
    assert any("queue" in name for name in expected) == (key != "bcl")
    for results in two_processes:
        torch.testing.assert_close(results[share][key], expected, rtol=1e-9, atol=1e-9)
