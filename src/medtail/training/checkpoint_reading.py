"""Reading a checkpoint without trusting it, and without Lightning."""

from pathlib import Path
from typing import Any

import torch

from medtail.runs.stored_files import RESTORE, check_archive, damaged, reading, require_keys

#: Where a checkpoint keeps the identity of its run.
IDENTITY = "medtail_run"


def read_checkpoint(path: Path, identity: str | None = None, remedy: str = RESTORE) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without executing anything in it.

    Args:
        path: The file.
        identity: Of the run it must belong to; None reads any.
        remedy: What to do about a damaged file.

    Raises:
        InputError: A part fails its checksum, it is no checkpoint, has no weights, or is of another run.
    """
    check_archive(path, remedy)
    with reading(path, "a readable checkpoint", remedy):
        content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise damaged(path, f"must hold a checkpoint, not {type(content).__name__}", remedy)
    require_keys(path, content, ("state_dict",), remedy)
    weights = content["state_dict"]
    if not isinstance(weights, dict) or not all(
        isinstance(value, torch.Tensor) for value in weights.values()
    ):
        raise damaged(path, "must hold tensors by their names in state_dict", remedy)
    written = content.get(IDENTITY)
    if identity is not None and written is not None and written != identity:
        raise damaged(path, "belongs to another run", remedy)
    return content
