"""The equations of the losses, each written once: pure functions of tensors without state or reduction.

Shapes: outputs ``(N, C)``, targets ``(N,)`` int64 class ids, values per sample ``(N,)``. Angles are in radians.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from medtail import checks, tensor_checks
from medtail.distributed import sum_over_ranks
from medtail.errors import InputError
from medtail.tensor_checks import ClassCounts

# ---------------------------------------------------------------------------------------------- targets


def target_entries(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the entry of each sample's true class ``(N,)``."""
    return outputs.gather(1, targets.unsqueeze(1)).squeeze(1)


def replace_target_entries(outputs: Tensor, targets: Tensor, entries: float | Tensor) -> Tensor:
    """Return a copy of ``outputs`` with the entry of each sample's true class set to a number or ``(N,)``."""
    return outputs.scatter(1, targets.unsqueeze(1), _column(entries))


def _column(entries: float | Tensor) -> float | Tensor:
    return entries.unsqueeze(1) if isinstance(entries, Tensor) else entries


def batch_counts(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return N_c ``(C,)``: how often each class occurs in the joined batch of all ranks."""
    ones = torch.ones_like(targets, dtype=outputs.dtype)
    return sum_over_ranks(outputs.new_zeros(outputs.shape[1]).scatter_add(0, targets, ones))


# ---------------------------------------------------------------------------------------------- margins


def sines(cosines: Tensor) -> Tensor:
    r"""Return :math:`\sin\theta = \sqrt{1 - \cos^2\theta}`, floored so that the gradient at ±1 is finite."""
    return (1 - cosines.square()).clamp_min(1e-12).sqrt()


def _as_margin(margin: float | Tensor, cosines: Tensor) -> Tensor:
    """Return a margin as a column, ``(N, 1)`` or ``(1, 1)``."""
    if isinstance(margin, Tensor):
        return margin.to(cosines).reshape(-1, 1)
    return cosines.new_full((1, 1), margin)


def angular_margin(cosines: Tensor, targets: Tensor, margin: float | Tensor) -> Tensor:
    r"""Add a margin to the angle of the true class (ArcFace; DAL eq. 1).

    .. math:: \cos(\theta_y + m) = \cos\theta_y\cos m - \sin\theta_y\sin m

    Beyond :math:`\theta_y + m = \pi` the cosine rises again, which rewards being more wrong; see
    :func:`monotonic_angular_margin`.

    Args:
        cosines: ``(N, C)``.
        targets: ``(N,)``.
        margin: A number or ``(N,)``, in radians.

    Example:
        >>> round(angular_margin(torch.tensor([[0.0, 1.0]]), torch.tensor([0]), math.pi / 6)[0, 0].item(), 6)
        -0.5
    """
    margin, index = _as_margin(margin, cosines), targets.unsqueeze(1)
    cosine = cosines.gather(1, index)
    return cosines.scatter(1, index, cosine * margin.cos() - sines(cosine) * margin.sin())


def monotonic_angular_margin(cosines: Tensor, targets: Tensor, margin: float | Tensor) -> Tensor:
    r"""Add an angular margin and keep decreasing beyond :math:`\pi`, as ArcFace's own code does.

    .. math::
        \psi(\theta) = \begin{cases}\cos(\theta + m) & \theta + m \le \pi \\
        \cos\theta - m\sin m & \text{otherwise}\end{cases}

    Args:
        cosines: ``(N, C)``.
        targets: ``(N,)``.
        margin: A number or ``(N,)``, in radians, in [0, π].
    """
    margin, index = _as_margin(margin, cosines), targets.unsqueeze(1)
    cosine = cosines.gather(1, index)
    moved = torch.where(
        cosine >= -margin.cos(),
        cosine * margin.cos() - sines(cosine) * margin.sin(),
        cosine - margin * margin.sin(),
    )
    return cosines.scatter(1, index, moved)


def cosine_margin(outputs: Tensor, targets: Tensor, margin: float | Tensor) -> Tensor:
    r"""Subtract a margin from the true class, :math:`\cos\theta_y - m` (CosFace; LDAM).

    Args:
        outputs: ``(N, C)``.
        targets: ``(N,)``.
        margin: A number or ``(N,)``.

    Example:
        >>> cosine_margin(torch.tensor([[1.0, 0.5]]), torch.tensor([1]), 0.25)
        tensor([[1.0000, 0.2500]])
    """
    index = targets.unsqueeze(1)
    return outputs.scatter_add(1, index, -_as_margin(margin, outputs).expand_as(index))


def multiplicative_margin(cosines: Tensor, targets: Tensor, factor: int) -> Tensor:
    r"""Multiply the angle of the true class (SphereFace).

    .. math:: \psi(\theta) = (-1)^k\cos(m\theta) - 2k, \qquad \theta\in[k\pi/m, (k+1)\pi/m]

    :math:`\cos m\theta` is the Chebyshev polynomial :math:`T_m(\cos\theta)`, so no ``acos`` is needed.

    Args:
        cosines: ``(N, C)``.
        targets: ``(N,)``.
        factor: m, at least 1.
    """
    cosine = target_entries(cosines, targets)
    previous, current = torch.ones_like(cosine), cosine
    for _ in range(factor - 1):
        previous, current = current, 2 * cosine * current - previous
    segment = torch.zeros_like(cosine)
    for border in range(1, factor):
        segment = segment + (cosine < math.cos(border * math.pi / factor)).to(cosine)
    sign = 1 - 2 * segment.remainder(2)
    return replace_target_entries(cosines, targets, sign * current - 2 * segment)


def class_margins(class_counts: Tensor, max_margin: float, power: float, reference_count: Tensor) -> Tensor:
    r"""Return one margin per class ``(C,)``, larger for rarer classes.

    .. math:: m_c = m_{\max}\,(n_c / n_\text{ref})^{-\text{power}}

    With :math:`n_\text{ref} = n_{\min}`, power ¼ is LDAM and power τ = 1 is DBM (eq. 6).
    """
    return max_margin * (class_counts / reference_count).pow(-power)


def batch_adaptive_margin(targets: Tensor, num_classes: int, min_margin: float, max_margin: float) -> Tensor:
    r"""Return one margin per class ``(C,)``, by its rarity in the batch (DAL eqs. 8–9).

    .. math:: w_c = \log(1 + 1/N_c),\quad t_c = \frac{w_c - w_{\min}}{w_{\max} - w_{\min}},\quad
              m_c = m_{\min} + (m_{\max} - m_{\min})\,t_c

    Minimum and maximum run over the classes that are present in the joined batch of all ranks. An absent class has
    :math:`t_c = 0`, as has every class when all present ones are equally frequent.

    Example:
        >>> batch_adaptive_margin(torch.tensor([0, 0, 0, 1]), 3, 0.0, 0.3)
        tensor([0.0000, 0.3000, 0.0000])
    """
    reference = torch.empty(0, num_classes, device=targets.device, dtype=torch.get_default_dtype())
    return adaptive_margins(batch_counts(reference, targets), min_margin, max_margin)


def adaptive_margins(counts: Tensor, min_margin: float, max_margin: float) -> Tensor:
    """Return DAL's margins (eqs. 8–9) for batch counts ``(C,)``; see :func:`batch_adaptive_margin`."""
    present = counts > 0
    rarity = torch.log1p(1 / counts.clamp_min(1))
    lowest = rarity.masked_fill(~present, math.inf).amin()
    highest = rarity.masked_fill(~present, -math.inf).amax()
    spread = highest - lowest
    relative = torch.where(present & (spread > 0), (rarity - lowest) / spread.clamp_min(1e-12), 0.0)
    return min_margin + (max_margin - min_margin) * relative


# ---------------------------------------------------------------------------------------------- scale


def scale_range(
    num_classes: int, min_negative_angle: float, max_negative_angle: float
) -> tuple[float, float]:
    r"""Return the lower and upper bound of a sensible scale for cosines (DAL eq. 7, θ₀ = 45°).

    .. math:: s_0 = \frac{\log(C - 1)}{\cos\theta_0 - \cos\theta_\text{neg}}

    Args:
        num_classes: C, at least 3.
        min_negative_angle: The smallest angle to a wrong class, in radians; above 45°. DAL measures 65°.
        max_negative_angle: The largest angle to a wrong class, in radians. DAL measures 125°.

    Raises:
        InputError: C is 2 (the logarithm is 0), or an angle is not in (45°, 180°].

    Example:
        >>> low, high = scale_range(7, math.radians(65), math.radians(125))
        >>> f"{low:.2f} {high:.2f}"
        '1.40 6.30'

    Source: DAL §3.1.
    """
    checks.whole_number(
        "num_classes",
        num_classes,
        low=3,
        remedy="log(C - 1) is 0 for 2 classes, so give the scale as a number",
    )
    for argument, angle in (
        ("min_negative_angle", min_negative_angle),
        ("max_negative_angle", max_negative_angle),
    ):
        checks.number(argument, angle)
        if not math.pi / 4 < angle <= math.pi:
            raise InputError(
                f"{argument} must lie in (45°, 180°], in radians, got {angle:g} rad = {math.degrees(angle):.4g}°; "
                "convert degrees with math.radians, and give the scale as a number if wrong classes are nearer"
            )
    if min_negative_angle > max_negative_angle:
        raise InputError(
            f"min_negative_angle must not exceed max_negative_angle, got {min_negative_angle:g} > "
            f"{max_negative_angle:g}; swap them"
        )
    low, high = (
        math.log(num_classes - 1) / (math.cos(math.pi / 4) - math.cos(angle))
        for angle in (max_negative_angle, min_negative_angle)
    )
    return low, high


# ---------------------------------------------------------------------------------------------- likelihoods

#: PyTorch's cross-entropy leaves out -100 unless it is told another id.
_NO_CLASS_ID = torch.iinfo(torch.int64).min


#: Powers up to this one are products, which take a tenth of the time of ``pow``.
_LARGEST_PRODUCT = 8


def power(base: Tensor, exponent: float) -> Tensor:
    """Return ``base ** exponent`` for a base in [0, 1], with a finite gradient at 0 for exponents below 1."""
    if exponent == 0:
        return torch.ones_like(base)
    if exponent != int(exponent) or exponent > _LARGEST_PRODUCT:
        return base.clamp_min(torch.finfo(base.dtype).eps ** 2).pow(exponent)
    half = int(exponent) // 2
    even = base if exponent == 1 else power(base, half).square() if half > 1 else base.square()
    return even * base if exponent % 2 and exponent > 1 else even


def cross_entropy(
    logits: Tensor, targets: Tensor, class_weights: Tensor | None = None, reduction: str = "none"
) -> Tensor:
    r"""Return :math:`-w_y\log p_y` with p = softmax and weights ``(C,)``, reduced as PyTorch does; every id counts."""
    return functional.cross_entropy(
        logits, targets, class_weights, reduction=reduction, ignore_index=_NO_CLASS_ID
    )


def focal(losses: Tensor, gamma: float) -> Tensor:
    r"""Return :math:`-(1 - p)^\gamma \log p` for values of :math:`-\log p` (Scholz eq. 1; LCT eq. 2)."""
    return losses if gamma == 0 else power(-torch.expm1(-losses), gamma) * losses


def sigmoid_focal(logits: Tensor, gamma: float) -> Tensor:
    r"""Return :math:`-(1 - p)^\gamma \log p` of positives with p = σ(z), of any shape; negatives have -z."""
    return focal(-functional.logsigmoid(logits), gamma)


# ---------------------------------------------------------------------------------------------- weights


def inverse_frequency_weights(class_counts: Tensor) -> Tensor:
    r"""Return :math:`\omega_c = n / (C\,n_c)`, 0 where :math:`n_c = 0` (Scholz eq. 6; DAL eq. 11).

    Example:
        >>> inverse_frequency_weights(torch.tensor([6.0, 2.0, 0.0]))
        tensor([0.4444, 1.3333, 0.0000])
    """
    weights = class_counts.sum() / (len(class_counts) * class_counts.clamp_min(1e-12))
    return torch.where(class_counts > 0, weights, 0.0)


def rarity_weights(class_counts: Tensor, alpha: float) -> Tensor:
    r"""Return the class weights of focal loss for any number of classes, from the α of two (LCT eq. 2).

    .. math:: \alpha_c \propto n_c^{-a},\quad a = \frac{\log(\alpha / (1 - \alpha))}{\log(n_{\max}/n_{\min})},\quad
              \frac1C\sum_c\alpha_c = \frac12

    The rarest class weighs α / (1 - α) times as much as the commonest; the others lie in between, by a power of their
    counts. For two classes the weights are α for the rarer and 1 - α for the commoner. Equal counts give ½ each.

    Example:
        >>> rarity_weights(torch.tensor([900.0, 100.0]), 0.75)
        tensor([0.2500, 0.7500])
    """
    rarity = (class_counts.max() / class_counts).log()
    rarity = rarity / rarity.max().clamp_min(torch.finfo(rarity.dtype).tiny)
    log_odds = math.log(alpha) - math.log1p(-alpha)
    return (log_odds * rarity).softmax(0) * (len(class_counts) / 2)


def effective_numbers(class_counts: Tensor, beta: float) -> Tensor:
    r"""Return the effective number of samples, :math:`E_c = (1 - \beta^{n_c}) / (1 - \beta)` (Cui et al., 2019)."""
    log_beta = math.log(beta) if beta > 0 else -math.inf
    return -torch.expm1(class_counts * log_beta) / (1 - beta)


def effective_number_weights(class_counts: ClassCounts, beta: float) -> Tensor:
    r"""Return :math:`w_c \propto (1 - \beta) / (1 - \beta^{n_c})` with :math:`\sum_c w_c = C`, float64 ``(C,)``.

    Args:
        class_counts: ``(C,)``, positive.
        beta: In [0, 1); 0 gives equal weights, and the limit 1 inverse frequencies.

    Raises:
        InputError: A count is not positive, or β is outside [0, 1).

    Example:
        >>> effective_number_weights([900, 100], 0.9999)
        tensor([0.2073, 1.7927], dtype=torch.float64)

    Source: Cui et al., 2019.
    """
    counts = tensor_checks.class_counts(class_counts)
    weights = 1 / effective_numbers(counts, checks.number("beta", beta, low=0, high=1, open_high=True))
    return weights * (len(counts) / weights.sum())


# ---------------------------------------------------------------------------------------------- soft counts


class SoftConfusion(NamedTuple):
    """Counts of each class ``(C,)`` as sums of probabilities, and of the batch ``()``.

    Attributes:
        true_positives: TP.
        predicted: TP + FP.
        true: TP + FN.
        size: N = TP + FP + FN + TN.
    """

    true_positives: Tensor
    predicted: Tensor
    true: Tensor
    size: Tensor


def soft_confusion(probabilities: Tensor, targets: Tensor) -> SoftConfusion:
    r"""Return the soft counts of each class over the joined batch of all ranks.

    .. math:: TP = \sum y p,\quad TP + FP = \sum p,\quad TP + FN = \sum y

    Args:
        probabilities: ``(N, C)``.
        targets: Class ids ``(N,)`` or class probabilities ``(N, C)``, of which the counts are expectations.

    Example:
        >>> soft_confusion(torch.tensor([[0.75, 0.25]]), torch.tensor([0])).true_positives
        tensor([0.7500, 0.0000])

    Source: Scholz et al., eqs. 2 and 4.
    """
    if targets.ndim == 1:
        own = target_entries(probabilities, targets)
        true_positives = probabilities.new_zeros(probabilities.shape[1]).scatter_add(0, targets, own)
        true = batch_counts(probabilities.detach(), targets)
    else:
        true_positives = (targets * probabilities).sum(0)
        true = sum_over_ranks(targets.sum(0))
    size = probabilities.new_full((), len(probabilities))
    return SoftConfusion(
        sum_over_ranks(true_positives), sum_over_ranks(probabilities.sum(0)), true, sum_over_ranks(size)
    )


# ---------------------------------------------------------------------------------------------- complement entropy


def complement_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    r"""Return the entropy of the wrong classes, :math:`H = -\sum_{j\neq y} q_j\log q_j`, ``(N,)``.

    :math:`q_j = p_j / (1 - p_y)` is a softmax over the wrong logits, so :math:`p_y = 1` is no special case (complement
    cross-entropy, Kim et al., 2021).
    """
    wrong = replace_target_entries(logits, targets, -math.inf)
    log_q = replace_target_entries(wrong.log_softmax(1), targets, 0.0)
    q = replace_target_entries(log_q.exp(), targets, 0.0)
    return -(q * log_q).sum(1)


def official_complement_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return :func:`complement_entropy` with the offsets of the released code: q + 1e-7 and log(q + 1e-10)."""
    q = replace_target_entries(logits, targets, -math.inf).softmax(1) + 1e-7
    terms = q * (q + 1e-10).log()
    return -replace_target_entries(terms, targets, 0.0).sum(1)


# ---------------------------------------------------------------------------------------------- sigmoid family


def log_shifted_complement(logits: Tensor, clip: float) -> Tensor:
    r"""Return :math:`\log\min(1 - p + \text{clip}, 1)` with p = σ(z), ``(N, C)``, for any clip of at least 0."""
    if clip == 0:
        return functional.logsigmoid(-logits)
    return shifted_complement(logits, clip, torch.finfo(logits.dtype).tiny).log()


def shifted_complement(logits: Tensor, clip: float, lowest: float = 0.0) -> Tensor:
    r"""Return :math:`\min(1 - p + \text{clip}, 1)` with p = σ(z), of any shape, and at least ``lowest``."""
    return ((-logits).sigmoid() + clip).clamp(lowest, 1)


def shifted_probability(logits: Tensor, clip: float) -> Tensor:
    r"""Return :math:`q = \max(p - \text{clip}, 0)` with p = σ(z), of any shape (ASL)."""
    return (logits.sigmoid() - clip).clamp_min(0)


#: Logarithms of APL are floored at that of this probability, as in the released code.
_LOWEST = 1e-8


def positive_polynomial_logarithm(logits: Tensor, first: float, second: float) -> Tensor:
    r"""Return APL's log-like term of positives, :math:`\log p + \epsilon_1(1-p) + \tfrac12\epsilon_2(1-p)^2`."""
    complement = (-logits).sigmoid()
    logarithm = logits.sigmoid().clamp_min(_LOWEST).log()
    return logarithm + first * complement + second / 2 * complement.square()


def negative_polynomial_logarithm(logits: Tensor, clip: float, epsilon: float) -> Tensor:
    r"""Return APL's log-like term of negatives, :math:`\log r + \epsilon_- r`, r = min(1 - p + clip, 1)."""
    logarithm = shifted_complement(logits, clip, _LOWEST).log()
    return logarithm if epsilon == 0 else logarithm + epsilon * shifted_complement(logits, clip)


def rational(values: Tensor, coefficients: tuple[float, float, float]) -> Tensor:
    r"""Return :math:`(a + b x) / (1 + d x)` for coefficients (a, b, d), a logarithm in ALPA (eq. 9)."""
    a, b, d = coefficients
    numerator = a + b * values
    return numerator if d == 0 else numerator / (1 + d * values)


def asymmetric_softmax(
    logits: Tensor, gamma_positive: float, gamma_negative: float, smoothing: float
) -> Tensor:
    r"""Return ASL's single-label form ``(N, C)`` for each true class: focused log softmax with label smoothing.

    .. math:: -\sum_c \tilde y_c\,(1 - p_{t,c})^{\gamma_c}\log p_c,\qquad \tilde y = (1-\epsilon)\,y + \epsilon/C
    """
    log_probabilities = logits.log_softmax(1)
    probabilities = log_probabilities.exp()
    floor = smoothing / logits.shape[1]
    positive = (1 - smoothing + floor) * power(1 - probabilities, gamma_positive) * log_probabilities
    negative = floor * power(probabilities, gamma_negative) * log_probabilities
    return negative - positive - negative.sum(1, keepdim=True)


# ---------------------------------------------------------------------------------------------- metrics of the batch


def soft_f1(counts: SoftConfusion, epsilon: float) -> Tensor:
    r"""Return :math:`2TP / (2TP + FP + FN)` of each class ``(C,)``, 0 where nothing is counted.

    It is computed as the harmonic mean of precision and recall, whose denominators the released code enlarges by ε.
    """
    precision = counts.true_positives / (counts.predicted + epsilon).clamp_min(1e-12)
    recall = counts.true_positives / (counts.true + epsilon).clamp_min(1e-12)
    return 2 * precision * recall / (precision + recall + epsilon).clamp_min(1e-12)


def _soft_f1_over_all(counts: SoftConfusion, epsilon: float) -> Tensor:
    return soft_f1(counts, epsilon).mean()


def _soft_f1_over_present(counts: SoftConfusion, epsilon: float) -> Tensor:
    present = (counts.true > 0).to(counts.true)
    return (soft_f1(counts, epsilon) * present).sum() / present.sum().clamp_min(1)


#: Macro averages of soft F1, by how an absent class counts.
SOFT_F1_AVERAGES = {"zero": _soft_f1_over_all, "skip": _soft_f1_over_present}


def _guarded_root(value: Tensor) -> Tensor:
    return value.clamp_min(1e-8).sqrt()


def _shares(counts: SoftConfusion) -> SoftConfusion:
    """Return the counts of each class as shares of the batch."""
    size = counts.size.clamp_min(1)
    return SoftConfusion(counts.true_positives / size, counts.predicted / size, counts.true / size, size)


def _soft_mcc_multiclass(counts: SoftConfusion, epsilon: float) -> Tensor:
    hits, predicted, true, size = _shares(counts)
    covariance = hits.sum() - (true * predicted).sum()
    spread = _guarded_root(1 - predicted.square().sum()) * _guarded_root(1 - true.square().sum())
    return covariance / (spread + epsilon / size.square())


def _soft_mcc_macro(counts: SoftConfusion, epsilon: float) -> Tensor:
    hits, predicted, true, size = _shares(counts)
    covariances = hits - true * predicted
    spreads = _guarded_root(predicted * (1 - predicted)) * _guarded_root(true * (1 - true))
    return (covariances / (spreads + epsilon / size.square())).mean()


#: Soft Matthews correlations: Gorodkin's R_K, or the mean of the binary coefficients of the classes.
SOFT_MCC_AVERAGES = {"multiclass": _soft_mcc_multiclass, "macro": _soft_mcc_macro}


def adaptively_weighted_balanced(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Return AWB's value ``()`` over the joined batch of all ranks; its class has the equations."""
    own = target_entries(probabilities, targets)
    counts = batch_counts(probabilities.detach(), targets)
    present = counts > 0
    sizes = counts.clamp_min(1)

    def class_sums(values: Tensor) -> Tensor:
        return sum_over_ranks(values.new_zeros(probabilities.shape[1]).scatter_add(0, targets, values))

    alpha = torch.where(present, (counts.amax() / sizes).log() + 1, 0.0)
    log_losses = class_sums(-(own + 1e-6).log()) / sizes
    means = class_sums(own) / sizes
    variances = class_sums((own - means[targets]).square()) / (counts - 1).clamp_min(1)
    varies = variances > 1e-24
    deviations = torch.where(varies, torch.where(varies, variances, 1.0).sqrt(), 0.0)
    variations = alpha.softmax(0) * deviations / means.clamp_min(1e-12)
    return (alpha * log_losses).mean() + (counts / counts.sum() * variations).sum()
