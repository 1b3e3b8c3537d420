"""The package's argument checks: one sentence with argument, rule, value and remedy."""

import numpy as np
import pytest
import torch

from medtail import checks, tensor_checks
from medtail.errors import InputError


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: checks.positive("rate", np.float32(0), remedy="0.1 is usual"),
            "rate must be a number in (0, inf), got np.float32(0.0); 0.1 is usual",
        ),
        (
            lambda: checks.whole_number("bins", True, low=1, remedy="15 is usual"),
            "bins must be a whole number of at least 1, got True; 15 is usual",
        ),
        (
            lambda: checks.class_vector("prior", ["1", "2"]),
            "prior must be numbers, one per class, got ['1', '2']",
        ),
        (
            lambda: checks.class_vector("prior", [[1], [2, 3]]),
            "prior must be numbers, one per class, got [[1], [2, 3]]",
        ),
        (lambda: checks.class_vector("prior", [0, 1], num_classes=3), "prior must have shape (3,), got (2,)"),
        (
            lambda: checks.class_vector("prior", [0, np.nan]),
            "prior must hold finite numbers of at least 0, not all 0, got [0.0, nan]",
        ),
        (lambda: checks.class_ids("targets", [0, -1], 2), "targets must be class ids from 0 to 1, got -1"),
    ],
)
def test_a_refusal_is_one_sentence(call, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == sentence


@pytest.mark.parametrize("dtype", [torch.int64, torch.bfloat16, torch.float64])
def test_numbers_per_class_are_copied_from_tensors_of_any_type(dtype: torch.dtype) -> None:
    given = torch.tensor([3, 1], dtype=dtype, requires_grad=dtype.is_floating_point)
    for vector in (tensor_checks.class_counts(given), tensor_checks.class_vector("alpha", given)):
        assert vector.dtype == torch.float64
        assert vector.tolist() == [3, 1]
        vector[0] = 7
    assert given.tolist() == [3, 1]
