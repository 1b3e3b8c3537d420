"""The device of a run, chosen for this machine."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from medtail.errors import InputError


def device() -> torch.device:
    """Return the accelerator if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_room(place: torch.device, size: int) -> bool:
    """Return whether ``size`` bytes leave a device at least half of its free memory for the network."""
    return place.type == "cuda" and size <= torch.cuda.mem_get_info(place)[0] // 2


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute in float32, whatever the precision of training: in this every model is judged.

    Autocast is off, and so is TF32, in which PyTorch convolves on some GPUs by default.
    """
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(device().type, enabled=False):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


def check_sync_batch_norm() -> None:
    """Refuse batch normalisation over several devices where PyTorch has none.

    Raises:
        InputError: There is no GPU.
    """
    if device().type == "cpu":
        raise InputError(
            "training.sync_batch_norm must be false on CPUs, where PyTorch does not have it; leave it out, or raise "
            "training.batch_size"
        )


def with_sync_batch_norm(model: nn.Module) -> nn.Module:
    """Let all layers of batch normalisation see the images of all devices; names of weights stay."""
    # timm's own, because PyTorch's would drop the activation from timm's joined layers.
    from timm.layers import norm_act

    synchronized: nn.Module = norm_act.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    return synchronized


def is_main_process() -> bool:
    """Return whether this is the only process or rank 0, which writes files and logs."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def hardware() -> str:
    """Return the device in words, for the record beside a measurement."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
    capabilities: Any = getattr(torch.cpu, "get_capabilities", dict)()
    name = capabilities.get("cpu_name", "CPU")
    threads = torch.get_num_threads()
    return f"{name}, {os.cpu_count()} cores, {threads} thread{'' if threads == 1 else 's'}"


def peak_memory_mb() -> float:
    """Return the most memory that this process has held so far, in MB: of tensors on a GPU, else of the process."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, others kilobytes.
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6, 1)
