"""How long each loss takes, as a ratio to its formula as papers and released code write it down, in the same run.

    python benchmarks/released_losses.py --out benchmarks/results/losses_cpu_released.csv

The formulas stand here once more, straightforwardly and without checks. Sigmoid losses get their labels as 0/1
``(N, C)``, made beforehand, while ours get class ids. Both sides run forward and backward in turns; times are CPU time
of the process, so that other work on the machine counts little, and the ratio is the median over pairs.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from measuring import paired_seconds, results_file
from torch import Tensor
from torch.nn import functional

from medtail.losses import create_loss

COLUMNS = [
    "loss",
    "num_classes",
    "batch_size",
    "ratio",
    "microseconds",
    "released_microseconds",
    "pairs",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
]

Formula = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    """Measure what the arguments select, and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--losses", nargs="+", choices=FORMULAS, default=list(FORMULAS))
    parser.add_argument("--num-classes", nargs="+", type=int, default=[7, 100, 8142])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[128, 1024])
    parser.add_argument("--pairs", type=int, default=15)
    arguments = parser.parse_args()
    measured = ("src/medtail/losses", "src/medtail/tensor_checks.py", "src/medtail/distributed.py")
    with results_file(arguments.out, COLUMNS, "cpu", *measured) as write:
        for row in rows(arguments):
            print(
                f"{row['loss']:18} C={row['num_classes']:<5} N={row['batch_size']:<5} {row['ratio']}",
                flush=True,
            )
            write(row)


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield one row per size and loss."""
    for num_classes in arguments.num_classes:
        for batch_size in arguments.batch_sizes:
            for key in arguments.losses:
                pairs = timed_pairs(key, num_classes, batch_size, arguments.pairs)
                yield {
                    "loss": key,
                    "num_classes": num_classes,
                    "batch_size": batch_size,
                    "ratio": f"{statistics.median(own / other for own, other in pairs):.3f}",
                    "microseconds": f"{1e6 * statistics.median(own for own, _ in pairs):.1f}",
                    "released_microseconds": f"{1e6 * statistics.median(other for _, other in pairs):.1f}",
                    "pairs": arguments.pairs,
                }


def timed_pairs(key: str, num_classes: int, batch_size: int, pairs: int) -> list[tuple[float, float]]:
    """Return the CPU seconds of our loss and of the formula, one after the other."""
    generator = torch.Generator().manual_seed(0)
    outputs = (1.8 * torch.rand(batch_size, num_classes, generator=generator) - 0.9).requires_grad_()
    ids = torch.randint(0, num_classes, (batch_size,), generator=generator)
    counts = [1 + 10_000 // (1 + class_id) for class_id in range(num_classes)]
    loss, formula = create_loss(key, class_counts=counts), FORMULAS[key](torch.tensor(counts).float())
    targets = functional.one_hot(ids, num_classes).float() if key in OF_LABELS else ids

    def own() -> None:
        outputs.grad = None
        loss(outputs, ids).backward()

    def released() -> None:
        outputs.grad = None
        formula(outputs, targets).backward()

    return paired_seconds(own, released, pairs, "cpu", time.process_time)


# --- softmax losses


def weighted_cross_entropy(counts: Tensor) -> Formula:
    """ω_y · (−log p_y), ω_c = n / (C n_c)."""
    weights = counts.sum() / (len(counts) * counts)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return (functional.cross_entropy(outputs, targets, reduction="none") * weights[targets]).mean()

    return loss


def focal(counts: Tensor) -> Formula:
    """−(1 − p_y)² log p_y."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        losses = functional.cross_entropy(outputs, targets, reduction="none")
        return ((1 - torch.exp(-losses)) ** 2.0 * losses).mean()

    return loss


def class_balanced(counts: Tensor) -> Formula:
    """w_y · (−log p_y), w from effective numbers."""
    weights = (1 - 0.9999) / (1 - 0.9999**counts)
    weights = weights / weights.sum() * len(counts)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        one_hot = functional.one_hot(targets, len(counts)).float()
        sample_weights = (weights * one_hot).sum(1)
        return (sample_weights * functional.cross_entropy(outputs, targets, reduction="none")).mean()

    return loss


def ldam(counts: Tensor) -> Formula:
    """Cross-entropy of s (cos θ − Δ_y on the true class)."""
    margins = 0.5 * (counts.min() / counts) ** 0.25

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        index = torch.zeros_like(outputs, dtype=torch.bool)
        index.scatter_(1, targets.view(-1, 1), True)
        batch_margins = torch.matmul(margins[None, :], index.float().transpose(0, 1)).view(-1, 1)
        return functional.cross_entropy(30 * torch.where(index, outputs - batch_margins, outputs), targets)

    return loss


def balanced_softmax(counts: Tensor) -> Formula:
    """Cross-entropy of z + log n."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        expanded = counts.unsqueeze(0).expand(outputs.shape[0], -1)
        return functional.cross_entropy(outputs + expanded.log(), targets)

    return loss


def vector_scaling(counts: Tensor) -> Formula:
    """Cross-entropy of Δz + ι."""
    shift, factor = (counts / counts.sum()).log(), (counts / counts.max()) ** 0.3

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(factor * outputs + shift, targets)

    return loss


def complement_cross_entropy(counts: Tensor) -> Formula:
    """Cross-entropy minus the entropy of the wrong classes over C − 1."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        p = functional.softmax(outputs, dim=1)
        own = p.gather(1, targets.view(-1, 1))
        q = p / (1 - own + 1e-7)
        terms = q * torch.log(q + 1e-10)
        wrong = torch.ones_like(outputs).scatter_(1, targets.view(-1, 1), 0.0)
        entropy = (terms * wrong).sum() / len(targets)
        return functional.cross_entropy(outputs, targets) + entropy / (outputs.shape[1] - 1)

    return loss


def angular(scale: float, margin: float) -> Callable[[Tensor], Formula]:
    """Cross-entropy of s cos(θ + m on the true class)."""

    def build(counts: Tensor) -> Formula:
        def loss(outputs: Tensor, targets: Tensor) -> Tensor:
            sine = torch.sqrt((1.0 - outputs.pow(2)).clamp(1e-9, 1))
            moved = outputs * math.cos(margin) - sine * math.sin(margin)
            one_hot = torch.zeros_like(outputs).scatter_(1, targets.view(-1, 1), 1)
            return functional.cross_entropy(scale * (one_hot * moved + (1 - one_hot) * outputs), targets)

        return loss

    return build


def cosface(counts: Tensor) -> Formula:
    """Cross-entropy of s (cos θ − m on the true class)."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        one_hot = torch.zeros_like(outputs).scatter_(1, targets.view(-1, 1), 1)
        return functional.cross_entropy(
            64.0 * (one_hot * (outputs - 0.35) + (1 - one_hot) * outputs), targets
        )

    return loss


def adacos(counts: Tensor) -> Formula:
    """Cross-entropy of s cos θ, s from the batch."""
    state = {"scale": torch.tensor(math.sqrt(2) * math.log(len(counts) - 1))}

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        theta = torch.acos(outputs.clamp(-1 + 1e-7, 1 - 1e-7))
        one_hot = torch.zeros_like(outputs).scatter_(1, targets.view(-1, 1), 1)
        with torch.no_grad():
            others = torch.where(one_hot < 1, torch.exp(state["scale"] * outputs), torch.zeros_like(outputs))
            average = others.sum() / len(targets)
            median = torch.median(theta[one_hot == 1])
            state["scale"] = torch.log(average) / torch.cos(torch.clamp_max(median, math.pi / 4))
        return functional.cross_entropy(state["scale"] * outputs, targets)

    return loss


def dbm(prior: bool) -> Callable[[Tensor], Formula]:
    """Cross-entropy of 32 cos(θ + m_C + [hard] m_I on the true class), with or without the prior."""

    def build(counts: Tensor) -> Formula:
        margins = 0.1 * counts.min() / counts
        shift = (counts / counts.sum()).log() if prior else torch.zeros_like(counts)

        def loss(outputs: Tensor, targets: Tensor) -> Tensor:
            theta = torch.acos(outputs.clamp(-1 + 1e-7, 1 - 1e-7))
            one_hot = torch.zeros_like(outputs).scatter_(1, targets.view(-1, 1), 1)
            class_margin = margins[targets].view(-1, 1)
            hard = (outputs.argmax(1) != targets).float().view(-1, 1)
            difficulty = (1 - outputs.gather(1, targets.view(-1, 1))) / 2
            margin = class_margin + hard * class_margin * difficulty
            return functional.cross_entropy(32 * torch.cos(theta + one_hot * margin) + shift, targets)

        return loss

    return build


def adaptively_weighted(counts: Tensor) -> Formula:
    """AWB: batch counts weigh the classes' losses and coefficients of variation."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        num_classes = outputs.shape[1]
        own = functional.softmax(outputs, 1).gather(1, targets.view(-1, 1)).squeeze(1)
        one_hot = functional.one_hot(targets, num_classes).float()
        sizes = one_hot.sum(0)
        alpha = torch.where(sizes > 0, torch.log(sizes.max() / sizes.clamp_min(1)) + 1, 0.0)
        losses = (one_hot * -torch.log(own + 1e-6)[:, None]).sum(0) / sizes.clamp_min(1)
        means = (one_hot * own[:, None]).sum(0) / sizes.clamp_min(1)
        squares = (one_hot * (own[:, None] - means).square()).sum(0) / (sizes - 1).clamp_min(1)
        variation = functional.softmax(alpha, 0) * (squares + 1e-12).sqrt() / means.clamp_min(1e-12)
        return (alpha * losses).mean() + variation[targets].mean()

    return loss


# --- sigmoid losses


def asymmetric(counts: Tensor) -> Formula:
    """ASL with γ₋ = 4, γ₊ = 1 and clip 0.05."""

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        positive = torch.sigmoid(outputs)
        negative = (1 - positive + 0.05).clamp(max=1)
        value = labels * torch.log(positive.clamp(min=1e-8))
        value = value + (1 - labels) * torch.log(negative.clamp(min=1e-8))
        with torch.no_grad():
            of_truth = positive * labels + negative * (1 - labels)
            weight = torch.pow(1 - of_truth, 1 * labels + 4 * (1 - labels))
        return -(value * weight).sum()

    return loss


def asymmetric_softmax(counts: Tensor) -> Formula:
    """ASL's single-label form with γ (0, 4) and smoothing 0.1."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        num_classes = outputs.shape[1]
        logs = functional.log_softmax(outputs, dim=-1)
        labels = torch.zeros_like(outputs).scatter_(1, targets.view(-1, 1), 1)
        p = torch.exp(logs)
        weight = torch.pow(1 - p * labels - (1 - p) * (1 - labels), 0 * labels + 4 * (1 - labels))
        smooth = labels * (1 - 0.1) + 0.1 / num_classes
        return -(smooth * logs * weight).sum(dim=-1).mean()

    return loss


def asymmetric_polynomial(counts: Tensor) -> Formula:
    """APL with γ₋ = 4, γ₊ = 0, ε₁ = 1, ε₂ = −2.5 and clip 0.05."""

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        positive = torch.sigmoid(outputs)
        negative = (1 - positive + 0.05).clamp(max=1)
        of_positive = torch.log(positive.clamp(min=1e-8)) + 1.0 * (1 - positive)
        of_positive = of_positive - 1.25 * torch.pow(1 - positive, 2)
        of_negative = torch.log(negative.clamp(min=1e-8)) + 0.0 * negative
        value = labels * of_positive + (1 - labels) * of_negative
        with torch.no_grad():
            of_truth = positive * labels + negative * (1 - labels)
            weight = torch.pow(1 - of_truth, 0 * labels + 4 * (1 - labels))
        return -(value * weight).sum()

    return loss


def pade(counts: Tensor) -> Formula:
    """ALPA with α = 0.875, β = 1.625, γ₊ = 0, γ₋ = 4, without a clip."""

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        positive = torch.sigmoid(outputs)
        negative = 1 - positive
        of_positive = labels * 0.875 * torch.pow(negative, 0) * (-1.5 + 1.5 * positive)
        of_negative = (1 - labels) * 1.625 * torch.pow(positive, 4) * (-1 + negative)
        of_truth = positive * labels + negative * (1 - labels)
        weight = torch.pow(1 - of_truth, 0 * labels + 4 * (1 - labels))
        return -((of_positive + of_negative) * weight).sum()

    return loss


# --- losses of soft counts


def soft_f1(counts: Tensor) -> Formula:
    """1 − the macro mean of soft F1."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        truth = functional.one_hot(targets, outputs.shape[1]).float()
        p = functional.softmax(outputs, 1)
        hits = (truth * p).sum(0)
        alarms = ((1 - truth) * p).sum(0)
        misses = (truth * (1 - p)).sum(0)
        precision, recall = hits / (hits + alarms + 1e-8), hits / (hits + misses + 1e-8)
        return 1 - (2 * precision * recall / (precision + recall + 1e-8)).mean()

    return loss


def soft_mcc(counts: Tensor) -> Formula:
    """1 − Gorodkin's R_K of soft counts."""

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        truth = functional.one_hot(targets, outputs.shape[1]).float()
        p = functional.softmax(outputs, 1)
        hits, size = (truth * p).sum(0), float(len(targets))
        alarms = ((1 - truth) * p).sum(0)
        misses = (truth * (1 - p)).sum(0)
        true, predicted = hits + misses, hits + alarms
        covariance = hits.sum() * size - (true * predicted).sum()
        spread = (size**2 - (predicted**2).sum()).sqrt() * (size**2 - (true**2).sum()).sqrt()
        return 1 - covariance / (spread + 1e-8)

    return loss


#: Formulas by the key of the loss, as functions of the class counts.
FORMULAS: dict[str, Callable[[Tensor], Formula]] = {
    "weighted_ce": weighted_cross_entropy,
    "focal": focal,
    "class_balanced": class_balanced,
    "ldam": ldam,
    "balanced_softmax": balanced_softmax,
    "logit_adjusted": balanced_softmax,
    "vector_scaling": vector_scaling,
    "complement_ce": complement_cross_entropy,
    "awb": adaptively_weighted,
    "arcface": angular(64.0, 0.5),
    "cosface": cosface,
    "adacos": adacos,
    "dbm": dbm(prior=False),
    "dbm_bs": dbm(prior=True),
    "asl": asymmetric,
    "asl_softmax": asymmetric_softmax,
    "apl": asymmetric_polynomial,
    "alpa": pade,
    "soft_f1": soft_f1,
    "soft_mcc": soft_mcc,
}

#: Formulas that take 0/1 labels.
OF_LABELS = ("asl", "apl", "alpa")


if __name__ == "__main__":
    main()
