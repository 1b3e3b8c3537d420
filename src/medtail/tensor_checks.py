"""Argument checks of tensors. None of them reads a value on a device, which would make the host wait."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from medtail import checks
from medtail.errors import InputError

#: Training counts in class-id order, by class id in any order, or by class name in class-id order.
ClassCounts: TypeAlias = Sequence[int] | np.ndarray | Tensor | Mapping[int, int] | Mapping[str, int]


def class_counts(values: ClassCounts) -> Tensor:
    """Return training counts as float64 ``(C,)`` on the CPU; at least two are needed, and all must be positive."""
    counts = checks.float64("class_counts", _in_order(_on_host(values)))
    if counts.ndim != 1 or len(counts) < 2:
        raise InputError(
            f"class_counts must list at least 2 classes in one row, got shape {counts.shape}; "
            "pass the counts of the training split in class-id order"
        )
    for class_id, count in enumerate(counts):
        if not (count > 0 and np.isfinite(count)):
            raise InputError(
                f"class_counts must be positive, got {count:g} for class {class_id} of {len(counts)}; "
                "drop the class or pass the counts of the training split"
            )
    return torch.from_numpy(counts)


def _in_order(values: Any) -> Any:
    """Return counts by class id in the order of the ids, and counts by class name in the order of the mapping."""
    kind, counted = type(values), isinstance(values, Counter) or hasattr(values, "to_dict")
    if counted and not isinstance(values, Mapping):
        values = values.to_dict()
    if not isinstance(values, Mapping):
        return values
    if all(isinstance(key, int | np.integer) and not isinstance(key, bool) for key in values):
        if sorted(values) != list(range(len(values))):
            raise InputError(
                f"class_counts by class id must have every id from 0 on, got {sorted(values)}; "
                "drop the classes without training images from the head, or number the classes anew"
            )
        return [values[class_id] for class_id in range(len(values))]
    if counted or not all(isinstance(key, str) for key in values):
        raise InputError(
            f"class_counts must be in class-id order, which a {kind.__name__} of {list(values)[:3]} does not tell; "
            "pass [counts[name] for name in class_names]"
        )
    return list(values.values())


def class_vector(argument: str, values: Any, *, num_classes: int | None = None) -> Tensor:
    """Return one number per class as float64 ``(C,)`` on the CPU, checked by :func:`checks.class_vector`."""
    return torch.from_numpy(checks.class_vector(argument, _on_host(values), num_classes=num_classes))


def tensor(argument: str, values: Any) -> None:
    """Refuse anything but a tensor.

    Raises:
        InputError: It is an array or a list.
    """
    if not isinstance(values, Tensor):
        raise InputError(
            f"{argument} must be a tensor, got {type(values).__name__}; convert with torch.as_tensor({argument})"
        )


def outputs(values: Tensor, *, num_classes: int | None) -> Tensor:
    """Return a head's outputs, which must be floating-point ``(N, C)`` with one column per class."""
    tensor("outputs", values)
    if values.ndim != 2 or not values.is_floating_point():
        raise InputError(
            f"outputs must be floating-point of shape (N, C), got {values.dtype} {tuple(values.shape)}; "
            "pass what the head emits, one column per class"
        )
    if num_classes is not None and values.shape[1] != num_classes:
        raise InputError(
            f"outputs must have one column for each of the {num_classes} class_counts, got {values.shape[1]}; "
            "match the head's num_classes to the counts of the training split"
        )
    return values


def in_full_precision(outputs: Tensor) -> Tensor:
    """Return outputs in float32 or better."""
    return outputs if outputs.dtype in (torch.float32, torch.float64) else outputs.float()


def readable(values: Tensor) -> bool:
    """Return whether the host can read values without waiting for a device or breaking a compiled graph."""
    return values.is_cpu and type(values) is Tensor and not torch.compiler.is_compiling()


def _on_host(values: Any) -> Any:
    return values.detach().to("cpu", torch.float64).numpy() if isinstance(values, Tensor) else values
