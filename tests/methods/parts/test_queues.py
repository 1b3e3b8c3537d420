"""Queues: what is read and written in a step, and where the keys of each class lie."""

import numpy as np
import pytest
import torch

from medtail.methods.parts.queues import ClassQueue, KeyQueue


def rows(*values: int) -> torch.Tensor:
    return torch.tensor([[float(value), 0.0] for value in values])


def held(queue: KeyQueue) -> list[float]:
    return queue.keys[:, 0].tolist()


def test_the_oldest_keys_are_overwritten_first() -> None:
    queue = KeyQueue(4, 2)
    for batch in (rows(1, 2, 3), rows(4, 5, 6)):
        queue.begin_batch()
        queue.write(batch)
        queue.commit()
    assert held(queue) == [5.0, 6.0, 3.0, 4.0]
    assert queue.position.item() == 2


def test_of_a_batch_larger_than_the_queue_the_last_keys_stay() -> None:
    queue = KeyQueue(3, 2)
    queue.write(rows(1, 2, 3, 4, 5))
    queue.commit()
    assert sorted(held(queue)) == [3.0, 4.0, 5.0]
    # The next key takes the place of the oldest.
    queue.write(rows(6))
    queue.commit()
    assert sorted(held(queue)) == [4.0, 5.0, 6.0]


def test_a_second_pass_writes_in_place_of_the_first() -> None:
    queue = KeyQueue(4, 2)
    queue.begin_batch()
    before = queue.read()
    queue.write(rows(1, 2))
    # The second pass of SAM reads and writes what the first one did.
    assert torch.equal(queue.read(), before)
    queue.write(rows(1, 2))
    queue.commit()
    assert held(queue)[:2] == [1.0, 2.0] and queue.position.item() == 2


def test_accumulated_batches_are_written_one_after_the_other() -> None:
    queue = KeyQueue(4, 2)
    for batch in (rows(1), rows(2, 3)):
        queue.begin_batch()
        queue.write(batch)
    assert queue.position.item() == 0
    queue.commit()
    assert held(queue)[:3] == [1.0, 2.0, 3.0] and queue.position.item() == 3


def test_nothing_is_written_without_a_step() -> None:
    queue = KeyQueue(4, 2)
    before = queue.keys.clone()
    queue.write(rows(1))
    assert torch.equal(queue.keys, before)
    queue.commit()
    queue.commit()
    assert queue.position.item() == 1


@pytest.mark.parametrize(
    "counts", [[900, 100], [6705, 1113, 1099, 514, 327, 142, 115], [1] * 100, [10**7, 1, 1]]
)
@pytest.mark.parametrize("size", [200, 4096])
def test_slices_fill_the_queue_and_follow_the_counts(counts: list[int], size: int) -> None:
    queue = ClassQueue(counts, size, 3)
    sizes = queue.sizes.numpy()
    assert sizes.sum() == len(queue.classes) == size and sizes.min() >= 2
    expected = 2 + (size - 2 * len(counts)) * np.array(counts) / sum(counts)
    assert (np.abs(sizes - expected) <= 1).all()
    assert torch.equal(queue.classes.bincount(), queue.sizes)


def test_a_class_keeps_as_many_keys_of_a_batch_as_its_slice_has_places() -> None:
    queue = ClassQueue([2, 2], 4, 2)
    targets = torch.tensor([0, 0, 0, 1])
    keys, images = queue.write(rows(1, 2, 3, 4), targets, torch.tensor([10, 11, 12, 13]))
    assert images.tolist() == [10, 11, 13, -1]
    assert keys[:3, 0].tolist() == [1.0, 2.0, 4.0]
    queue.commit()
    # Three images of class 0 moved its position by three, so that the next one takes the second place.
    _, images = queue.write(rows(5), torch.tensor([0]), torch.tensor([14]))
    assert images.tolist() == [10, 14, 13, -1]


def test_a_queue_too_small_for_the_classes_is_refused(refuses) -> None:
    assert "queue_size must be at least 2 for each of 3 classes, got 5; take at least 6" in refuses(
        ClassQueue, [3, 2, 1], 5, 2
    )
    assert "queue_size must be a whole number of at least 1" in refuses(KeyQueue, 0, 2)
