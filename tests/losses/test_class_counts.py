"""Class counts as a list, an array, a tensor or a mapping: one order, that of the class ids."""

import re
from collections import Counter
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from medtail.data.samplers import drawn_prior
from medtail.losses import LOSSES, WeightedSumLoss, create_loss
from medtail.losses.catalogue import takes_setting
from medtail.losses.functional import effective_number_weights
from medtail.losses.parts.adjustments import PriorAdjustment
from medtail.methods.families import create_family

COUNTS = [90, 900, 9]

FORMS = {
    "array": np.array(COUNTS),
    "tensor": torch.tensor(COUNTS),
    "ids": {1: 900, 0: 90, 2: 9},
    "NumPy ids": {np.int64(1): 900, np.int64(2): 9, np.int64(0): 90},
    "Counter of ids": Counter([1] * 900 + [0] * 90 + [2] * 9),
    "value_counts of ids": pd.Series([1] * 900 + [0] * 90 + [2] * 9).value_counts(),
    "names": {"melanoma": 90, "nevus": 900, "angioma": 9},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", [key for key in LOSSES if takes_setting(key, "class_counts")])
def test_every_loss_reads_every_form_alike(key, form) -> None:
    loss = create_loss(key, class_counts=FORMS[form])
    loss = loss.losses[0] if isinstance(loss, WeightedSumLoss) else loss
    assert loss.class_counts.tolist() == COUNTS


@pytest.mark.parametrize("form", FORMS)
def test_everything_else_that_takes_counts_does_too(form) -> None:
    for function in (
        partial(effective_number_weights, beta=0.99),
        lambda counts: PriorAdjustment(counts)(torch.zeros(1, 3)),
        lambda counts: create_family("vector_scaling", class_counts=counts)(gamma=0.1, tau=1.0).class_counts,
        lambda counts: torch.from_numpy(drawn_prior("square_root", counts, num_epochs=2)),
    ):
        torch.testing.assert_close(function(FORMS[form]), function(COUNTS))


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({0: 900, 2: 9}, r"class_counts by class id must have every id from 0 on, got \[0, 2\]; drop"),
        ({1: 900, 2: 9}, r"every id from 0 on, got \[1, 2\]"),
        (
            Counter({"nevus": 900, "melanoma": 90}),
            r"must be in class-id order, which a Counter of \['nevus', 'mel",
        ),
        (
            pd.Series(["nevus", "nevus", "melanoma"]).value_counts(),
            r"which a Series of .*; pass \[counts\[name\]",
        ),
        ({"nevus": 900, 1: 90}, r"class_counts must be in class-id order, which a dict"),
        ({"nevus": 900, "melanoma": 0}, "class_counts must be positive, got 0 for class 1"),
    ],
)
def test_counts_whose_order_is_not_that_of_the_ids_are_refused(refuses, counts, sentence) -> None:

    assert re.search(sentence, refuses(create_loss, "balanced_softmax", class_counts=counts))
