"""Samplers: proportions, disjoint ranks, resuming, and the same order for the same seed."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from medtail.data import open_collection
from medtail.data.samplers import SAMPLERS

TARGETS = np.repeat([0, 1, 2], [700, 200, 100])

names = st.sampled_from(sorted(SAMPLERS))
#: Class ids in any order, with gaps.
target_lists = st.lists(st.sampled_from([0, 1, 2, 5]), min_size=4, max_size=80).map(
    lambda values: np.array(values, dtype=np.int64)
)


def make(name: str, targets: np.ndarray = TARGETS, **options: int):
    return SAMPLERS[name](targets, **{"batch_size": 10, "seed": 0, "num_epochs": 5} | options)


def shares(name: str, epoch: int = 0, draws: int = 40) -> np.ndarray:
    sampler = make(name)
    counts = np.zeros(3)
    for seed in range(draws):
        sampler = make(name, seed=seed)
        sampler.set_epoch(epoch)
        counts += np.bincount(TARGETS[list(sampler)], minlength=3)
    return counts / counts.sum()


def expected_shares(power: float) -> np.ndarray:
    raised = np.array([700.0, 200.0, 100.0]) ** power
    return raised / raised.sum()


# --- what all five have in common


@settings(max_examples=200, deadline=None)
@given(
    name=names,
    targets=target_lists,
    batch_size=st.integers(1, 9),
    replicas=st.integers(1, 4),
    seed=st.integers(0, 3),
    epoch=st.integers(0, 4),
)
def test_ranks_have_the_same_length_and_share_one_order(
    name: str, targets: np.ndarray, batch_size: int, replicas: int, seed: int, epoch: int
) -> None:
    parts = []
    for rank in range(replicas):
        sampler = make(name, targets, batch_size=batch_size, seed=seed, num_replicas=replicas, rank=rank)
        sampler.set_epoch(epoch)
        part = list(sampler)
        assert len(part) == len(sampler) == len(targets) // replicas
        assert part == list(sampler)  # the same epoch again
        assert all(0 <= position < len(targets) for position in part)
        parts.append(part)
    single = make(name, targets[:], batch_size=batch_size * replicas, seed=seed)
    single.set_epoch(epoch)
    if len(targets) % replicas == 0:
        whole = list(single)
        assert Counter(position for part in parts for position in part) == Counter(whole)
        # Joint batches are those of one process.
        for start in range(0, len(parts[0]) // batch_size):
            batches = [part[start * batch_size : (start + 1) * batch_size] for part in parts]
            joint = [position for batch in batches for position in batch]
            size = batch_size * replicas
            assert joint == whole[start * size : (start + 1) * size]


@settings(max_examples=100, deadline=None)
@given(
    targets=target_lists, batch_size=st.integers(1, 9), replicas=st.integers(1, 4), epoch=st.integers(0, 3)
)
def test_uniform_gives_no_image_twice_on_any_rank(
    targets: np.ndarray, batch_size: int, replicas: int, epoch: int
) -> None:
    seen: list[int] = []
    for rank in range(replicas):
        sampler = make("uniform", targets, batch_size=batch_size, num_replicas=replicas, rank=rank)
        sampler.set_epoch(epoch)
        seen += list(sampler)
    assert len(set(seen)) == len(seen) == len(targets) // replicas * replicas


@settings(max_examples=150, deadline=None)
@given(
    name=names,
    targets=target_lists,
    replicas=st.integers(1, 3),
    stop=st.integers(0, 80),
    epoch=st.integers(0, 3),
)
def test_resuming_gives_the_rest_of_the_epoch_and_the_next(
    name: str, targets: np.ndarray, replicas: int, stop: int, epoch: int
) -> None:
    options = {"num_replicas": replicas, "rank": replicas - 1, "batch_size": 3}
    unbroken = make(name, targets, **options)
    unbroken.set_epoch(epoch)
    whole = list(unbroken)
    stop = min(stop, len(whole))

    stopped = make(name, targets, **options)
    stopped.set_epoch(epoch)
    iterator = iter(stopped)
    first = [next(iterator) for _ in range(stop)]
    state = json.loads(json.dumps(stopped.state_dict()))  # plain values, safe in any checkpoint

    resumed = make(name, targets, **options)
    resumed.load_state_dict(state)
    resumed.set_epoch(epoch)  # what a training loop calls before the epoch
    assert first + list(resumed) == whole
    assert list(resumed) == whole  # later passes are whole again
    resumed.set_epoch(epoch + 1)
    unbroken.set_epoch(epoch + 1)
    assert list(resumed) == list(unbroken)


@pytest.mark.parametrize("name", SAMPLERS)
def test_seed_and_epoch_decide_the_order(name: str) -> None:
    sampler = make(name)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(make(name, seed=1)) != first


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_loader_that_fetches_ahead_can_be_resumed(name: str) -> None:
    positions = torch.arange(len(TARGETS))
    sampler = make(name)
    whole = list(sampler)
    ahead = DataLoader(positions, sampler=make(name), batch_size=10, num_workers=1)  # type: ignore[arg-type]
    iterator = iter(ahead)
    done = [next(iterator) for _ in range(3)]
    assert torch.cat(done).tolist() == whole[:30]
    assert ahead.sampler.state_dict()["given"] > 30
    resumed = make(name)
    resumed.load_state_dict(ahead.sampler.state_dict(given=30))
    assert list(resumed) == whole[30:]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_loop_left_early_starts_anew(name: str) -> None:
    sampler = make(name)
    for count, _ in enumerate(sampler):
        if count == 7:
            break
    assert list(sampler) == list(make(name))


@pytest.mark.parametrize("name", SAMPLERS)
def test_another_epoch_begins_at_its_beginning(name: str) -> None:
    sampler = make(name)
    sampler.load_state_dict(sampler.state_dict(given=500))
    sampler.set_epoch(1)
    assert sampler.state_dict()["given"] == 0
    assert len(list(sampler)) == len(TARGETS)


# --- proportions


@pytest.mark.parametrize(
    ("name", "power"),
    [("uniform", 1.0), ("square_root", 0.5), ("class_balanced", 0.0), ("stratified", 0.0)],
)
def test_classes_are_drawn_in_their_proportions(name: str, power: float) -> None:
    np.testing.assert_allclose(shares(name), expected_shares(power), atol=0.012)


@pytest.mark.parametrize("epoch", [0, 2, 4])
def test_progressive_balance_goes_from_the_counts_to_equal(epoch: int) -> None:
    progress = epoch / 4
    expected = (1 - progress) * expected_shares(1.0) + progress * expected_shares(0.0)
    np.testing.assert_allclose(shares("progressively_balanced", epoch), expected, atol=0.012)


def test_progress_does_not_go_beyond_the_training() -> None:
    sampler = make("progressively_balanced")
    sampler.set_epoch(50)
    np.testing.assert_allclose(sampler.class_probabilities(), 1 / 3)


@pytest.mark.parametrize("name", ["class_balanced", "square_root", "progressively_balanced"])
def test_all_images_of_a_class_are_equally_likely(name: str) -> None:
    sampler = make(name, np.array([0, 1, 1, 1, 1]))
    counts = np.zeros(5)
    for seed in range(1500):
        counts += np.bincount(list(make(name, np.array([0, 1, 1, 1, 1]), seed=seed)), minlength=5)
    within = counts[1:] / counts[1:].sum()
    np.testing.assert_allclose(within, 0.25, atol=0.025)
    np.testing.assert_allclose(counts[0] / counts.sum(), sampler.class_probabilities()[0], atol=0.025)


@settings(max_examples=150, deadline=None)
@given(
    targets=target_lists, batch_size=st.integers(1, 12), replicas=st.integers(1, 3), epoch=st.integers(0, 3)
)
def test_every_stratified_batch_has_equal_shares(
    targets: np.ndarray, batch_size: int, replicas: int, epoch: int
) -> None:
    classes = np.unique(targets)
    for rank in range(replicas):
        sampler = make("stratified", targets, batch_size=batch_size, num_replicas=replicas, rank=rank)
        sampler.set_epoch(epoch)
        order = targets[list(sampler)]
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            counts = [int((batch == name).sum()) for name in classes]
            assert max(counts) - min(counts) <= 1


def test_the_remainder_of_stratified_batches_rotates() -> None:
    order = TARGETS[list(make("stratified", batch_size=10))]
    favoured = [int(np.bincount(batch, minlength=3).argmax()) for batch in order.reshape(-1, 10)]
    # 10 = 3 + 3 + 3 + 1: the class with the fourth image changes from batch to batch.
    assert len(set(favoured[:3])) == 3
    assert favoured[:3] * 33 == favoured[:99]


def test_the_odd_image_of_an_epoch_rotates_too() -> None:
    sampler = make("stratified")  # 1000 places are 333 for each of three classes, and one more
    favoured = set()
    for epoch in range(20):
        sampler.set_epoch(epoch)
        favoured.add(int(np.bincount(TARGETS[list(sampler)]).argmax()))
    assert favoured == {0, 1, 2}


def test_stratified_shows_every_image_of_a_class_before_it_repeats_one() -> None:
    order = np.array(list(make("stratified")))
    of_rare = order[TARGETS[order] == 2]  # 100 images, about 333 places
    for start in range(0, 300, 100):
        assert len(set(of_rare[start : start + 100])) == 100
    of_frequent = order[TARGETS[order] == 0]
    assert len(set(of_frequent)) == len(of_frequent)


def test_real_counts_are_balanced(shared_data) -> None:
    collection = open_collection(shared_data / "ham10000_28.npz")
    targets = collection.table["target"].to_numpy()[collection.rows("train")]
    drawn = np.bincount(targets[list(make("stratified", targets, batch_size=128))], minlength=7)
    assert drawn.sum() == len(targets)
    assert drawn.max() - drawn.min() <= 1


# --- refusals


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"num_replicas": 2, "rank": 2}, "rank must be from 0 to num_replicas - 1 = 1, got 2"),
        ({"num_replicas": 1001}, "each of 1001 processes needs a training image, got 1000"),
    ],
)
@pytest.mark.parametrize("name", SAMPLERS)
def test_wrong_arguments_are_refused(refuses, name: str, options: dict, expected: str) -> None:
    assert expected in refuses(make, name, **options)


def test_targets_must_be_class_ids(refuses) -> None:
    assert "got float64 of shape (3,)" in refuses(make, "uniform", np.ones(3))
    assert "of shape (3, 1)" in refuses(make, "uniform", np.ones((3, 1), dtype=int))
    assert "needs a training image, got 0" in refuses(make, "uniform", np.array([], dtype=int))


def test_progressive_balance_needs_the_length_of_training(refuses) -> None:
    sentence = refuses(SAMPLERS["progressively_balanced"], TARGETS)
    assert "num_epochs must be the length of the training, got None" in sentence


def test_the_state_of_another_sampler_is_refused(refuses) -> None:
    state = make("uniform").state_dict()
    sentence = refuses(make("uniform", seed=3, batch_size=20).load_state_dict, state)
    assert "seed 0 (here 3), batch_size 10 (here 20)" in sentence
