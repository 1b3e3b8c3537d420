"""How many trainings a machine does at a time."""

import os

import torch

from medtail.data.decoded.reading import num_threads

#: Memory that one training is given room for: of the machine, and of a GPU.
_MEMORY = 2 * 2**30
_GPU_MEMORY = 16 * 2**30


def num_cores() -> int:
    """Processors that this process may use."""
    return num_threads()


def fitting_jobs() -> int:
    """Return how many trainings at a time fill this machine.

    One per processor, as long as each has 2 GiB of memory; where there are GPUs, one per 16 GiB of their free memory,
    and two processors for each.
    """
    cores, memory = num_cores(), _memory() // _MEMORY
    if not torch.cuda.is_available():
        return max(1, min(cores, memory))
    free = [torch.cuda.mem_get_info(device)[0] for device in range(torch.cuda.device_count())]
    return max(1, min(cores // 2, memory, sum(size // _GPU_MEMORY for size in free)))


def _memory() -> int:
    """Bytes of the machine; one training's where it does not say."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return _MEMORY
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def worker_environment(number: int, jobs: int) -> dict[str, str]:
    """Return the environment of one of several workers: its share of the processors, and one of the GPUs.

    Args:
        number: Of the worker, from 0.
        jobs: How many workers there are.
    """
    threads = str(max(1, num_cores() // jobs))
    environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, **os.environ}
    gpus = torch.cuda.device_count()
    if gpus > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
        environment["CUDA_VISIBLE_DEVICES"] = visible[number % gpus]
    return environment
