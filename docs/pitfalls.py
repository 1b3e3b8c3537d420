"""The numbers of pitfalls.md: `python docs/pitfalls.py` prints them in under a minute on one core.

Data: scikit-learn's 1,797 real digits as 64 grey values, mixed anew for every seed. A large part is kept aside, so
that what an evaluation claims can be compared with what the classifier does on images nobody has touched.
"""

from collections.abc import Callable

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score
from sklearn.neighbors import KNeighborsClassifier

from medtail import metrics

IMAGES, LABELS = load_digits(return_X_y=True)
SEEDS = range(20)


def members(digit: int) -> np.ndarray:
    """Positions of all images of a digit."""
    return np.flatnonzero(digit == LABELS)


def long_tail(generator: np.random.Generator, largest: int, smallest: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of an exponentially imbalanced study, and of all other images."""
    study = []
    for digit in range(10):
        count = round(largest * (smallest / largest) ** (digit / 9))
        study.append(generator.permutation(members(digit))[:count])
    chosen = np.concatenate(study)
    return chosen, np.setdiff1d(np.arange(len(LABELS)), chosen)


def halves(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers below ``count``, in two random halves."""
    order = generator.permutation(count)
    return order[: count // 2], order[count // 2 :]


def stratified(generator: np.random.Generator, positions: np.ndarray, parts: int) -> list[np.ndarray]:
    """Equal parts with the same share of every class."""
    pieces: list[list[np.ndarray]] = [[] for _ in range(parts)]
    for label in np.unique(LABELS[positions]):
        shuffled = generator.permutation(positions[LABELS[positions] == label])
        for part, piece in zip(pieces, np.array_split(shuffled, parts), strict=True):
            part.append(piece)
    return [np.concatenate(part) for part in pieces]


def oversample(generator: np.random.Generator, positions: np.ndarray) -> np.ndarray:
    """Repeat images until every class is as frequent as the largest."""
    labels = LABELS[positions]
    most = np.bincount(labels).max()
    return np.concatenate([generator.choice(positions[labels == label], most) for label in np.unique(labels)])


def oversampling_before_splitting(seed: int) -> tuple[float, ...]:
    """A forest on 80 … 4 images a digit; claimed and true, for oversampling before and after the split."""
    generator = np.random.default_rng(seed)
    study, rest = long_tail(generator, largest=80, smallest=4)

    def fit_and_score(train: np.ndarray, test: np.ndarray) -> tuple[float, float]:
        forest = RandomForestClassifier(60, random_state=seed).fit(IMAGES[train], LABELS[train])
        claimed = balanced_accuracy_score(LABELS[test], forest.predict(IMAGES[test]))
        return claimed, balanced_accuracy_score(LABELS[rest], forest.predict(IMAGES[rest]))

    inflated = oversample(generator, study)
    first, second = halves(generator, len(inflated))
    wrong = fit_and_score(inflated[first], inflated[second])
    train, test = stratified(generator, study, 2)
    right = fit_and_score(oversample(generator, train), test)
    return *wrong, *right


def patients_in_both_splits(seed: int) -> tuple[float, ...]:
    """150 patients of four photographs; each patient's label is a coin toss, so there is nothing to learn."""
    generator = np.random.default_rng(seed)
    originals = IMAGES[generator.choice(len(IMAGES), 150, replace=False)]
    photographs = np.repeat(originals, 4, axis=0) + generator.normal(0, 2, (600, 64))
    patients = np.repeat(np.arange(150), 4)
    labels = generator.integers(0, 2, 150)[patients]

    def score(train: np.ndarray, test: np.ndarray) -> float:
        nearest = KNeighborsClassifier(1).fit(photographs[train], labels[train])
        return balanced_accuracy_score(labels[test], nearest.predict(photographs[test]))

    by_image = score(*halves(generator, 600))
    first, second = halves(generator, 150)
    by_patient = score(np.flatnonzero(np.isin(patients, first)), np.flatnonzero(np.isin(patients, second)))
    return by_image, by_patient


def choosing_the_epoch_on_test(seed: int) -> tuple[float, ...]:
    """A linear model for 60 epochs on 20 … 3 images a digit; as many for validation, and for test."""
    generator = np.random.default_rng(seed)
    study, rest = long_tail(generator, largest=60, smallest=9)
    train, validation, test = stratified(generator, study, 3)
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.02, random_state=seed)
    scores = []
    for _ in range(60):
        model.partial_fit(IMAGES[train] / 16, LABELS[train], classes=np.arange(10))
        decided = model.predict(IMAGES / 16)
        scores.append(
            [balanced_accuracy_score(LABELS[part], decided[part]) for part in (validation, test, rest)]
        )
    table = np.array(scores)
    by_test, by_validation = table[:, 1].argmax(), table[:, 0].argmax()
    return table[by_test, 1], table[by_test, 2], table[by_validation, 1], table[by_validation, 2]


def choosing_the_threshold_on_test(seed: int) -> tuple[float, ...]:
    """Is it an eight? 12 eights among 240 images for each of training, validation and test."""
    generator = np.random.default_rng(seed)
    eights = generator.permutation(members(8))
    others = generator.permutation(np.setdiff1d(np.arange(len(LABELS)), eights))
    parts = [
        np.concatenate([eights[12 * n : 12 * n + 12], others[228 * n : 228 * n + 228]]) for n in range(3)
    ]
    train, validation, test = parts
    rest = np.concatenate([eights[36:], others[684:]])
    noisy = IMAGES + generator.normal(0, 6, IMAGES.shape)
    model = LogisticRegression(max_iter=200).fit(noisy[train] / 16, LABELS[train] == 8)

    def score(part: np.ndarray, threshold: float) -> float:
        decisions = model.predict_proba(noisy[part] / 16)[:, 1] >= threshold
        return balanced_accuracy_score(LABELS[part] == 8, decisions)

    thresholds = np.geomspace(1e-4, 0.9, 200)
    by_test = thresholds[np.argmax([score(test, threshold) for threshold in thresholds])]
    by_validation = thresholds[np.argmax([score(validation, threshold) for threshold in thresholds])]
    return score(test, by_test), score(rest, by_test), score(test, by_validation), score(rest, by_validation)


def show(title: str, columns: list[str], experiment: Callable[[int], tuple[float, ...]]) -> None:
    """Run an experiment with every seed and print its columns."""
    results = np.array([experiment(seed) for seed in SEEDS])
    print(f"\n{title} ({len(results)} seeds: mean, lowest, highest)")
    for column, values in zip(columns, results.T, strict=True):
        print(f"  {column:<44} {values.mean():.3f}  {values.min():.3f}  {values.max():.3f}")


if __name__ == "__main__":
    show(
        "Oversampling before splitting, balanced accuracy",
        ["wrong: claimed", "wrong: on untouched images", "right: claimed", "right: on untouched images"],
        oversampling_before_splitting,
    )
    show(
        "Patients in both splits, balanced accuracy",
        ["split by image", "split by patient"],
        patients_in_both_splits,
    )
    columns = ["by test: claimed", "by test: untouched", "by validation: claimed", "by validation: untouched"]
    show("Epoch chosen, balanced accuracy", columns, choosing_the_epoch_on_test)
    show("Threshold chosen, balanced accuracy", columns, choosing_the_threshold_on_test)

    counts = np.array(
        [37, 53, 117, 12, 98, 865, 16]
    )  # HAM10000 test images, akiec to vasc, in one 70/10/20 split
    truth = np.repeat(np.arange(7), counts)
    always = np.full(len(truth), counts.argmax())
    print("\nAlways the largest class of HAM10000")
    print(f"  accuracy {accuracy_score(truth, always):.3f}")
    print(f"  balanced accuracy {balanced_accuracy_score(truth, always):.3f}")
    print(f"  weighted F1 {f1_score(truth, always, average='weighted', zero_division=0):.3f}")
    print(f"  macro F1 {f1_score(truth, always, average='macro', zero_division=0):.3f}")

    truth, decided = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    print("\nA class that is predicted but absent, mean recall")
    print(f"  counted as 0: {recall_score(truth, decided, average='macro', zero_division=0):.3f}")
    ours = metrics.balanced_accuracy(metrics.confusion_matrix(truth, decided, 3))
    print(f"  left out (medtail): {ours:.3f}")
