"""Artificial long tails: fewer *training* images of some classes, drawn without replacement.

A profile says how many images each class should keep, and :func:`subsample` draws them. Class ``c`` of a profile is
the class of rank c when classes are sorted by decreasing count, ties in class-id order, so that a balanced data set is
cut in class-id order, as in the papers.
"""

import warnings
from collections.abc import Callable

import numpy as np

from medtail.checks import number, whole_number
from medtail.data.collection import DataWarning, ImageCollection
from medtail.errors import InputError
from medtail.naming import listing
from medtail.runs.facts import positive_class

#: Undoes the rounding error of a power before a count is truncated: 5000 · 1000^(-1/3) is 500, not 499.
_WHOLE = 1.0 + 1e-12


def exponential_counts(class_counts: np.ndarray, imbalance_factor: float) -> np.ndarray:
    """Exponential decay: ``n_c = int(n_max · IF^(-c / (C - 1)))``, where ``n_max`` is the count of the largest class.

    This is the profile of CIFAR-10/100-LT (Cui et al. 2019, arXiv:1901.05555; Cao et al. 2019, arXiv:1906.07413).

    Args:
        class_counts: Number of training images of each class ``(C,)``.
        imbalance_factor: IF, the largest count over the smallest; papers: 10, 50, 100, 200.

    Returns:
        Number of images each class should keep ``(C,)``, at least 1; it exceeds what a class has if that is too few.

    Raises:
        InputError: A class has no image, or the factor is below 1.

    Example:
        >>> exponential_counts(np.full(100, 500), 100).sum()
        np.int64(10847)
        >>> exponential_counts(np.array([20, 200, 200]), 10)
        array([ 20, 200,  63])
    """
    counts = _positive_counts(class_counts)
    imbalance_factor = number("imbalance_factor", imbalance_factor, low=1, remedy="e.g. 100")
    ranks = np.arange(len(counts)) / (len(counts) - 1)
    return _by_rank(counts, counts.max() * imbalance_factor**-ranks)


def pareto_counts(class_counts: np.ndarray, alpha: float = 6.0, smallest: int = 5) -> np.ndarray:
    """Quantiles of a Pareto distribution: the kind of tail that ImageNet-LT has.

    The quantile function of the Pareto (Lomax) distribution with power α, ``F⁻¹(u) = (1 - u)^(-1/α) - 1``, is taken at
    the mean ranks ``1 - u_c = (c + 1) / (C + 1)``: ``n_c = max(smallest, int(n_max · F⁻¹(u_c) / F⁻¹(u_0)))``.

    ImageNet-LT (Liu et al. 2019, arXiv:1904.05160) is published as a list of files, "sampled from a Pareto
    distribution with α = 6", with 1,280 images in the largest class and 5 in the smallest; how the distribution was
    turned into counts is not published. From 1,000 classes of 1,280 images this construction keeps 117,137 (published:
    115,846), with 388 classes over 100 images (published: 385). For exactly the images of the papers, open the list
    files.

    Args:
        class_counts: Number of training images of each class ``(C,)``.
        alpha: Power α, at least 0.05; ImageNet-LT: 6.
        smallest: Fewest images of a class; ImageNet-LT: 5.

    Returns:
        As :func:`exponential_counts`.

    Raises:
        InputError: A class has no image, α is below 0.05 or ``smallest`` is below 1.

    Example:
        >>> counts = pareto_counts(np.full(1000, 1280))
        >>> int(counts.sum()), counts[[0, -1]].tolist()
        (117137, [1280, 5])
    """
    counts = _positive_counts(class_counts)
    alpha = number("alpha", alpha, low=0.05, remedy="ImageNet-LT has 6")
    smallest = whole_number("smallest", smallest, low=1, remedy="ImageNet-LT has 5")
    survival = np.arange(1, len(counts) + 1) / (len(counts) + 1)
    # expm1 and log keep the digits that a power near 1 would lose.
    quantiles = np.expm1(-np.log(survival) / alpha)
    return _by_rank(counts, np.maximum(counts.max() * quantiles / quantiles[0], smallest))


def step_counts(class_counts: np.ndarray, imbalance_factor: float, minority_share: float = 0.5) -> np.ndarray:
    """Two levels: the larger classes stay whole, the others keep ``int(n_max / IF)`` images (Buda et al. 2018).

    Args:
        class_counts: Number of training images of each class ``(C,)``.
        imbalance_factor: IF, the largest count over the smallest.
        minority_share: Share of the classes that are cut; half of them in Cao et al. 2019. ``int((1 - share) · C)``
            classes stay whole, at least one of them and not all.

    Returns:
        As :func:`exponential_counts`.

    Raises:
        InputError: A class has no image, the factor is below 1, or the share is not between 0 and 1.

    Example:
        >>> step_counts(np.full(4, 500), 100)
        array([500, 500,   5,   5])
    """
    counts = _positive_counts(class_counts)
    imbalance_factor = number("imbalance_factor", imbalance_factor, low=1, remedy="e.g. 100")
    minority_share = number(
        "minority_share",
        minority_share,
        low=0,
        high=1,
        open_low=True,
        open_high=True,
        remedy="0.5 cuts half the classes",
    )
    whole = min(max(int((1.0 - minority_share) * len(counts) * _WHOLE), 1), len(counts) - 1)
    wanted = np.full(len(counts), counts.max() / imbalance_factor)
    wanted[:whole] = counts.max()
    return _by_rank(counts, wanted)


def binary_counts(class_counts: np.ndarray, beta: float, *, positive: int | None = None) -> np.ndarray:
    """Two classes: the positive one keeps ``⌊n_negative / β + 1/2⌋`` images, and the other one all.

    This is the β of loss-conditional training (paper 001, Table 12: 10, 100, 200). The table follows the same rounding,
    except for SIIM-ISIC at β = 100 (410 of 41,051, here 411) and for Dogs vs. Cats, where it prints 1,500, 150 and 75:
    those belong to 15,000 images and not to its 11,500 (1,150, 115, 58).

    Args:
        class_counts: Training images of each class ``(2,)``.
        beta: Number of images of the negative class per image of the positive one.
        positive: Id of the positive class; the smaller one if None, or class 1 of equals.

    Returns:
        As :func:`exponential_counts`.

    Raises:
        InputError: There are not exactly two classes, a class has no image, or β is below 1.

    Example:
        >>> binary_counts(np.array([5000, 5000]), 200), binary_counts(np.array([2500, 2500]), 200)
        (array([5000,   25]), array([2500,   13]))
        >>> binary_counts(np.array([1444, 1486]), 100, positive=1)
        array([1444,   14])
    """
    counts = _positive_counts(class_counts)
    beta = number("beta", beta, low=1, remedy="e.g. 100")
    if len(counts) != 2:
        raise InputError(
            f"beta is the ratio of two classes, got {len(counts)} classes; set one class against the rest with "
            f"`positive`, or choose another `data.subsample`"
        )
    cut = positive_class(counts) if positive is None else positive
    wanted = counts.copy()
    wanted[cut] = max(int(counts[1 - cut] / beta + 0.5), 1)
    return wanted


#: From a name in a recipe to the profile.
PROFILES: dict[str, Callable[..., np.ndarray]] = {
    "binary": binary_counts,
    "exponential": exponential_counts,
    "pareto": pareto_counts,
    "step": step_counts,
}


def subsample(targets: np.ndarray, counts: np.ndarray, seed: int) -> np.ndarray:
    """Draw ``counts[c]`` images of each class c without replacement, or all of them if a class has no more.

    Each class is shuffled once, from ``(seed, class id)`` alone, and cut. So a smaller count keeps a part of what a
    larger one keeps, and what one class keeps does not depend on the others. The draw is the same on every platform.

    Args:
        targets: Class ids ``(N,)``.
        counts: Number of images to keep of each class ``(C,)``.
        seed: Seed of the draw.

    Returns:
        Positions kept, int64, in increasing order.

    Raises:
        InputError: The seed is negative.

    Example:
        >>> subsample(np.array([0, 0, 0, 1]), np.array([2, 5]), seed=0)
        array([0, 2, 3])
    """
    whole_number("seed", seed, low=0, remedy="e.g. 0")
    kept = [
        np.random.default_rng([seed, target]).permutation(np.flatnonzero(targets == target))[:count]
        for target, count in enumerate(counts)
    ]
    return np.sort(np.concatenate(kept)).astype(np.int64)


def training_rows_left_out(
    collection: ImageCollection, profile: Callable[[np.ndarray], np.ndarray], seed: int
) -> np.ndarray:
    """Choose which training images a profile leaves out; validation and test are never touched.

    Images are drawn one by one, so a patient or lesion may lose some of its images, but none crosses splits. The draw
    depends on ids, labels and the seed, not on the order of rows.

    Args:
        collection: Single-label images with splits.
        profile: From training counts ``(C,)`` to the number of images each class should keep ``(C,)``.
        seed: Seed of the draw.

    Returns:
        Rows of the table, int64, in increasing order.

    Raises:
        InputError: Images carry several labels, or the profile refuses the counts.
    """
    if collection.multi_label:
        raise InputError(
            f"`data.subsample` needs one label per image, but {collection.data} has columns of several labels; leave "
            f"it out"
        )
    rows = collection.rows("train")
    rows = rows[np.argsort(collection.table["id"].to_numpy(dtype=str)[rows], kind="stable")]
    present = collection.class_counts("train")
    wanted = profile(present)
    _warn_about_shortage(collection, present, wanted)
    kept = rows[subsample(collection.targets[rows], wanted, seed)]
    return np.setdiff1d(rows, kept)


def _positive_counts(class_counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(class_counts)
    if counts.ndim != 1 or len(counts) < 2 or counts.dtype.kind not in "iu" or counts.min() < 1:
        raise InputError(
            f"class_counts must be whole numbers for two or more classes, each at least 1, got {counts.tolist()}; "
            f"pass collection.class_counts('train')"
        )
    return counts.astype(np.int64)


def _by_rank(counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Give the class of rank c the c-th wanted number, truncated to a whole number."""
    kept = np.empty(len(counts), dtype=np.int64)
    kept[np.argsort(-counts, kind="stable")] = np.maximum((wanted * _WHOLE).astype(np.int64), 1)
    return kept


def _warn_about_shortage(collection: ImageCollection, present: np.ndarray, wanted: np.ndarray) -> None:
    short = [
        f"{collection.class_names[target]} ({present[target]} of {wanted[target]})"
        for target in np.flatnonzero(present < wanted)
    ]
    if short:
        warnings.warn(
            f"classes with fewer training images than the subsample asks for keep all they have: "
            f"{listing(short)}",
            DataWarning,
            stacklevel=3,
        )
