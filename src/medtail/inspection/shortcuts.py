"""Shortcuts: how well the label can be told without what the image shows."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import final

import numpy as np
import pandas as pd

from medtail.data.collection import ImageCollection
from medtail.inspection.traits import Traits, date_in

#: A clue is named if the lower bound of its balanced accuracy b exceeds chance by this share of (1 - chance).
LEAST_GAIN = 0.2

#: The same for one class against the rest, which is asked for every class, and for corner pixels, which may belong to
#: what the image shows; both must be clearer.
LEAST_GAIN_OF_CLASS = 0.4

#: Images that are looked at, as many of each class as possible.
MOST_IMAGES = 2000

#: Classes of fewer groups are left out.
LEAST_GROUPS = 5

_FOLDS = 5

#: Leaves of a tree for each class.
_LEAVES = 8
_CORNERS = "corner pixels"
_MOST_LABELS = 20
_DRAWS = 4000

#: A word must occur in this many images, and in this share of them if it holds digits: others are numbers of images.
_LEAST_IMAGES = 4
_LEAST_SHARE = {False: 0.005, True: 0.04}
_MOST_WORDS = 200

#: Numbers of more values than these at one place of the name count images.
_MOST_NUMBERS = 12

_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")


@final
@dataclass(frozen=True)
class Clue:
    """How well one thing beside the picture tells the label.

    Attributes:
        name: What the label was predicted from.
        balanced_accuracy: Mean recall over classes, cross-validated; of multi-label data that of the best-told label.
        low: Lower bound of its interval of 95 %.
        high: Upper bound.
        chance: Balanced accuracy of guessing, 1/C; of corner pixels, if it is higher, that of corners further inside,
            because what an image shows reaches into its corners.
        classes: Classes that the clue gives away, each against the rest.
    """

    name: str
    balanced_accuracy: float
    low: float
    high: float
    chance: float
    classes: tuple[str, ...]

    @property
    def is_shortcut(self) -> bool:
        """Whether the label can be told clearly better than by chance."""
        gain = LEAST_GAIN_OF_CLASS if self.name == _CORNERS else LEAST_GAIN
        return bool(self.classes) or self.low >= self.chance + gain * (1 - self.chance)

    @property
    def text(self) -> str:
        """The clue as text."""
        of = f", gives away {', '.join(self.classes)}" if self.classes else ""
        return (
            f"{self.name}: balanced accuracy {self.balanced_accuracy:.2f} ({self.low:.2f} to {self.high:.2f}), "
            f"chance {self.chance:.2f}{of}"
        )


def sampled_rows(collection: ImageCollection) -> np.ndarray:
    """Rows whose traits are looked at, sorted: at most :data:`MOST_IMAGES`, as many of each class as possible."""
    generator = np.random.default_rng(0)
    order = generator.permutation(len(collection))
    if not collection.multi_label:
        # The n-th image of its class comes before every image that is a later one of its class.
        place = pd.Series(collection.targets[order]).groupby(collection.targets[order]).cumcount()
        order = order[np.argsort(place.to_numpy(), kind="stable")]
    return np.sort(order[:MOST_IMAGES])


def clues(collection: ImageCollection, traits: Sequence[Traits], groups: Sequence[str]) -> list[Clue]:
    """Predict the label from each thing beside the picture, alone.

    A decision tree with balanced class weights is cross-validated in five folds that keep groups together. Each recall
    has a Beta(k + ½, n - k + ½) posterior, n being the number of groups of the class and k that of those told (in part,
    if only some of its images are); the interval of their mean is drawn from it.

    Args:
        collection: The images that were looked at.
        traits: Those of each image.
        groups: Group of each image; images that show the same share one.

    Returns:
        One entry for each clue that differs between images.
    """
    questions = list(_questions(collection, np.asarray(groups)))
    if not questions:
        return []
    found = []
    for name, features in _features(collection, traits).items():
        ordinary = np.array([trait.inner_corners for trait in traits]) if name == _CORNERS else None
        answers = [
            answer for question in questions if (answer := question.ask(name, features, ordinary)) is not None
        ]
        if answers:
            best = max(answers, key=lambda clue: clue.low)
            classes = tuple(dict.fromkeys(label for answer in answers for label in answer.classes))
            found.append(Clue(name, best.balanced_accuracy, best.low, best.high, best.chance, classes))
    return found


@final
@dataclass(frozen=True)
class _Question:
    """One label to tell, with the folds in which it is told.

    ``names`` maps the targets whose disclosure is worth a name to that name.
    """

    rows: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    names: Mapping[int, str]
    folds: Sequence[tuple[np.ndarray, np.ndarray]]

    def ask(self, name: str, features: np.ndarray, ordinary: np.ndarray | None) -> Clue | None:
        """Predict the label from features ``(N, F)``; ``ordinary`` are such as the picture itself would give."""
        told = self._predict(features)
        if told is None:
            return None
        expected = None if ordinary is None else self._predict(ordinary)
        present = np.unique(self.targets).tolist()
        generator = np.random.default_rng(0)
        recalls = [self._rate(told == target, self.targets == target, generator) for target in present]
        guess = 1 / len(present)
        chance = guess if expected is None else max(guess, self._balanced(expected))
        classes = []
        for place, target in enumerate(present):
            _, others = self._rate(told != target, self.targets != target, generator)
            low = np.quantile((recalls[place][1] + others) / 2, 0.025)
            base = (
                0.5
                if expected is None
                else max(0.5, self._balanced(np.where(expected == target, target, -1), target))
            )
            if target in self.names and low >= base + LEAST_GAIN_OF_CLASS * (1 - base):
                classes.append(self.names[target])
        accuracy = float(np.mean([rate for rate, _ in recalls]))
        low, high = np.quantile(np.mean([draws for _, draws in recalls], axis=0), (0.025, 0.975)).tolist()
        return Clue(name, accuracy, min(low, accuracy), max(high, accuracy), chance, tuple(classes))

    def _predict(self, features: np.ndarray) -> np.ndarray | None:
        """Target of each row, told by a tree that has not seen it; None if the features are all the same."""
        from sklearn.tree import DecisionTreeClassifier

        own = features[self.rows]
        if not own.shape[1] or (own == own[0]).all():
            return None
        told = np.empty_like(self.targets)
        leaves = _LEAVES * len(set(self.targets.tolist()))
        for training, held_out in self.folds:
            tree = DecisionTreeClassifier(
                class_weight="balanced", max_leaf_nodes=leaves, min_samples_leaf=2, random_state=0
            )
            told[held_out] = tree.fit(own[training], self.targets[training]).predict(own[held_out])
        return told

    def _balanced(self, told: np.ndarray, target: int | None = None) -> float:
        """Balanced accuracy; of one class against the rest if it is given."""
        truth = self.targets if target is None else np.where(self.targets == target, target, -1)
        return float(np.mean([(told == truth)[truth == one].mean() for one in np.unique(truth)]))

    def _rate(
        self, right: np.ndarray, among: np.ndarray, generator: np.random.Generator
    ) -> tuple[float, np.ndarray]:
        """Share of the images that are right, and draws from the posterior of that of the groups."""
        by_group = pd.Series(right[among].astype(float)).groupby(self.groups[among]).mean()
        hits, number = float(by_group.sum()), len(by_group)
        return float(right[among].mean()), generator.beta(hits + 0.5, number - hits + 0.5, _DRAWS)


def _questions(collection: ImageCollection, groups: np.ndarray) -> Iterator[_Question]:
    targets = collection.targets
    if not collection.multi_label:
        yield from _question(targets, groups, dict(enumerate(collection.class_names)))
        return
    rare_first = np.argsort(-(targets == 1).sum(axis=0), kind="stable")[:_MOST_LABELS]
    for column in rare_first.tolist():
        own = np.where(np.isfinite(targets[:, column]), targets[:, column], -1).astype(np.int64)
        yield from _question(own, groups, {1: collection.class_names[column]})


def _question(targets: np.ndarray, groups: np.ndarray, names: Mapping[int, str]) -> Iterator[_Question]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    present = [target for target in np.unique(targets).tolist() if target >= 0]
    kept = [target for target in present if len(set(groups[targets == target])) >= LEAST_GROUPS]
    rows = np.flatnonzero(np.isin(targets, kept))
    if len(kept) < 2:
        return
    own, own_groups = targets[rows], groups[rows]
    grouped = len(set(own_groups)) < len(rows)
    draw = StratifiedGroupKFold if grouped else StratifiedKFold
    folds = list(draw(_FOLDS, shuffle=True, random_state=0).split(rows, own, own_groups if grouped else None))
    yield _Question(
        rows, own, own_groups, {target: names[target] for target in kept if target in names}, folds
    )


def _features(collection: ImageCollection, traits: Sequence[Traits]) -> dict[str, np.ndarray]:
    """Numbers ``(N, F)`` for every clue."""
    forms = [trait.form for trait in traits]
    columns = collection.acquisition
    numbers = {
        "image size": np.array(
            [[*form.shape[-2:], form.depth or 1, form.width / form.height] for form in forms], dtype=float
        ),
        "border": np.array([trait.frame for trait in traits]),
        _CORNERS: np.array([trait.corners for trait in traits]),
        "date": _days([trait.dates for trait in traits]),
    }
    words = {
        "file name": _name_words([trait.name for trait in traits]),
        "file format": [[trait.extension] for trait in traits],
        "colour mode": [
            [form.mode, f"grey: {trait.grey}"] for form, trait in zip(forms, traits, strict=True)
        ],
        "metadata": [list(trait.metadata) for trait in traits],
    }
    for column, values in {} if columns is None else columns.items():
        words[f"column {column}"] = [[value] for value in values]
        days = _days([[day] if (day := date_in(value)) else [] for value in values])
        numbers[f"date in column {column}"] = days
    return numbers | {name: _indicators(texts) for name, texts in words.items()}


def _days(dates: Sequence[Sequence[date]]) -> np.ndarray:
    """The earliest date of each image as day, year, month and weekday ``(N, 4)``, 0 where there is none."""
    first = [min(days, default=None) for days in dates]
    return np.array(
        [
            [0, 0, 0, 0] if day is None else [day.toordinal(), day.year, day.month, 1 + day.weekday()]
            for day in first
        ],
        dtype=float,
    )


def _name_words(names: Sequence[str]) -> list[list[str]]:
    """The words of each file name, whole and without digits, and its pattern; numbers that count images are left out.

    Example:
        >>> _name_words(["siteA2-1_left"])
        [['siteA', 'left', 'siteA2', 'number 1: 1', 'pattern A0-0_A']]
    """
    split = [_WORD.findall(name) for name in names]
    numbers: dict[int, set[str]] = {}
    for words in split:
        for place, word in enumerate(words):
            if word.isdecimal():
                numbers.setdefault(place, set()).add(word)
    codes = {place for place, values in numbers.items() if len(values) <= _MOST_NUMBERS}
    return [
        [
            *dict.fromkeys(_LETTERS.findall(name)),
            *(word for word in words if not word.isdecimal() and not word.isalpha()),
            *(
                f"number {place}: {words[place]}"
                for place in sorted(codes)
                if place < len(words) and words[place].isdecimal()
            ),
            "pattern " + re.sub(r"\d+", "0", _LETTERS.sub("A", name)),
        ]
        for name, words in zip(names, split, strict=True)
    ]


def _indicators(texts: Sequence[Sequence[str]]) -> np.ndarray:
    """Whether each image has each word that several images have ``(N, F)``."""
    counts = Counter(word for words in texts for word in set(words))
    kept = [
        word
        for word, count in counts.most_common(_MOST_WORDS)
        if _LEAST_IMAGES <= count < len(texts)
        and count >= _LEAST_SHARE[any(letter.isdigit() for letter in word)] * len(texts)
    ]
    place = {word: column for column, word in enumerate(kept)}
    found = np.zeros((len(texts), len(kept)))
    for row, words in enumerate(texts):
        found[row, [place[word] for word in words if word in place]] = 1
    return found
