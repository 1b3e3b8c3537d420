"""Dealing whole groups to parts so that every part has its share of every class."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from medtail.data.collection import ImageCollection, memberships


def group_members(
    collection: ImageCollection, rows: np.ndarray
) -> tuple[np.ndarray, dict[str, dict[int, int]]]:
    """Count the images of each class in each group; an image without a group is a group of its own.

    Images with several labels count for each of them, and images without any label for one more class, C.

    Returns:
        The group of each of ``rows``, and for each group the number of its images of each class.
    """
    keys = collection.groups[rows]
    positions, classes = memberships(collection.targets[rows])
    without = np.setdiff1d(np.arange(len(rows)), positions)
    positions = np.append(positions, without)
    classes = np.append(classes, np.full(len(without), len(collection.class_names)))
    members: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for position, target in zip(positions, classes, strict=True):
        members[keys[position]][int(target)] += 1
    return keys, members


def groups_of_classes(members: Mapping[str, Mapping[int, int]]) -> dict[int, int]:
    """The number of groups that hold an image of each class."""
    groups: dict[int, int] = defaultdict(int)
    for classes in members.values():
        for target in classes:
            groups[target] += 1
    return groups


@final
class Stratification:
    """Iterative stratification (Sechidis et al. 2011) of whole groups.

    Classes are dealt from the rarest to the most frequent, and the largest groups first; each group goes to the part
    that lacks most of its class. Every part gets a class that has at least as many groups as there are parts. The
    result depends on the groups, their classes and the seed, not on the order of rows.

    Args:
        members: For each group, the number of images of each class.
        shares: Share of each part; they sum to 1.
        seed: Seed of the order of groups of equal size.
        tiers: All parts; those of the first tier get a class first that has too few groups for all parts.
        essential: A part that gets the last group of a class that it would otherwise never see.
    """

    def __init__(
        self,
        members: Mapping[str, Mapping[int, int]],
        shares: Mapping[str, float],
        seed: int,
        *,
        tiers: Sequence[Sequence[str]],
        essential: str | None = None,
    ) -> None:
        self.members = members
        self.tiers = tiers
        self.essential = essential
        self.parts = [part for tier in tiers for part in tier]
        self.generator = np.random.default_rng(seed)
        totals: dict[int, int] = defaultdict(int)
        self.groups_of: dict[int, list[str]] = defaultdict(list)
        for key in sorted(members):
            for target, count in members[key].items():
                totals[target] += count
                self.groups_of[target].append(key)
        self.lacking = {
            part: {target: shares[part] * total for target, total in totals.items()} for part in self.parts
        }
        self.room = {part: shares[part] * sum(totals.values()) for part in self.parts}
        self.holds = {part: dict.fromkeys(totals, 0) for part in self.parts}
        self.waiting = {target: len(keys) for target, keys in self.groups_of.items()}

    def run(self) -> dict[str, str]:
        """Return the part of each group."""
        part_of: dict[str, str] = {}
        for target in sorted(self.groups_of, key=lambda target: (len(self.groups_of[target]), target)):
            keys = self.groups_of[target]
            shuffled = [keys[position] for position in self.generator.permutation(len(keys))]
            # Large groups first: the small ones then even out what they leave.
            for key in sorted(shuffled, key=lambda key: -self.members[key][target]):
                if key not in part_of:
                    part_of[key] = self._place(key, target)
        return part_of

    def _place(self, key: str, target: int) -> str:
        classes = self.members[key]
        chosen = max(
            self._candidates(classes, target),
            key=lambda part: (self.lacking[part][target], self.room[part]),
        )
        for other, count in classes.items():
            self.lacking[chosen][other] -= count
            self.room[chosen] -= count
            self.holds[chosen][other] += 1
            self.waiting[other] -= 1
        return chosen

    def _candidates(self, classes: Mapping[int, int], target: int) -> Sequence[str]:
        if self.essential is not None and any(
            not self.holds[self.essential][other] and self.waiting[other] == 1 for other in classes
        ):
            return [self.essential]
        empty = [part for part in self.parts if not self.holds[part][target]]
        if len(empty) > self.waiting[target]:
            return next(served for tier in self.tiers if (served := [part for part in tier if part in empty]))
        return empty if len(empty) == self.waiting[target] else self.parts
