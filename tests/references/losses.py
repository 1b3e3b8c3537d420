"""Every loss a second time, as naive loops over samples and classes from the equations of the papers.

``REFERENCES[key](outputs, targets, counts)`` is the value of a batch at the default settings. Nothing here is shared
with medtail, so that a slip in either of them shows.
"""

import math
from collections import Counter


def softmax(row):
    exponentials = [math.exp(value) for value in row]
    return [value / sum(exponentials) for value in exponentials]


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def cross_entropy(row, target):
    return -math.log(softmax(row)[target])


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def mean_of_rows(loss_of_row):
    """Lift a loss of one sample to the mean of a batch."""

    def batch(outputs, targets, counts):
        return mean(loss_of_row(row, target, counts) for row, target in zip(outputs, targets, strict=True))

    return batch


def effective_number_weights(counts, beta):
    raw = [(1 - beta) / (1 - beta**count) for count in counts]
    return [len(counts) * weight / sum(raw) for weight in raw]


def weighted_ce(row, target, counts):
    return sum(counts) / (len(counts) * counts[target]) * cross_entropy(row, target)


def focal(row, target, counts):
    return (1 - softmax(row)[target]) ** 2 * cross_entropy(row, target)


def class_balanced(row, target, counts):
    return effective_number_weights(counts, 0.9999)[target] * cross_entropy(row, target)


def vector_scaling(row, target, counts, gamma=0.3, tau=1.0):
    return cross_entropy(
        [
            (count / max(counts)) ** gamma * value + tau * math.log(count / sum(counts))
            for value, count in zip(row, counts, strict=True)
        ],
        target,
    )


def complement_ce(row, target, counts):
    probabilities = softmax(row)
    entropy = 0.0
    for class_id, probability in enumerate(probabilities):
        if class_id != target:
            share = probability / (1 - probabilities[target])
            entropy -= share * math.log(share)
    return cross_entropy(row, target) - entropy / (len(row) - 1)


def scaled_with_target(row, target, scale, target_cosine):
    return [scale * (target_cosine if c == target else cosine) for c, cosine in enumerate(row)]


def arcface(row, target, counts, margin=0.5, scale=64.0):
    moved = math.cos(math.acos(row[target]) + margin)
    return cross_entropy(scaled_with_target(row, target, scale, moved), target)


def cosface(row, target, counts):
    return cross_entropy(scaled_with_target(row, target, 64.0, row[target] - 0.35), target)


def sphereface(row, target, counts):
    angle = math.acos(row[target])
    segment = math.floor(4 * angle / math.pi)
    moved = (-1) ** segment * math.cos(4 * angle) - 2 * segment
    return cross_entropy(scaled_with_target(row, target, 64.0, moved), target)


def ldam(row, target, counts):
    margin = 0.5 * (min(counts) / counts[target]) ** 0.25
    return cross_entropy(scaled_with_target(row, target, 30.0, row[target] - margin), target)


def dbm_row(row, target, counts):
    margin = 0.1 / (counts[target] / min(counts))
    if any(cosine > row[target] for cosine in row):
        margin += margin * (1 - row[target]) / 2
    return scaled_with_target(row, target, 32.0, math.cos(math.acos(row[target]) + margin))


def dbm(row, target, counts):
    return cross_entropy(dbm_row(row, target, counts), target)


def dbm_bs(row, target, counts):
    shifted = [
        value + math.log(count / sum(counts))
        for value, count in zip(dbm_row(row, target, counts), counts, strict=True)
    ]
    return cross_entropy(shifted, target)


def adacos(outputs, targets, counts):
    scale = math.sqrt(2) * math.log(len(counts) - 1)
    wrong = mean(
        sum(math.exp(scale * cosine) for c, cosine in enumerate(row) if c != target)
        for row, target in zip(outputs, targets, strict=True)
    )
    angles = sorted(math.acos(row[target]) for row, target in zip(outputs, targets, strict=True))
    scale = math.log(wrong) / math.cos(min(math.pi / 4, angles[(len(angles) - 1) // 2]))
    return mean(
        cross_entropy([scale * cosine for cosine in row], target)
        for row, target in zip(outputs, targets, strict=True)
    )


def dal(outputs, targets, counts):
    present = Counter(targets)
    rarity = {class_id: math.log(1 + 1 / count) for class_id, count in present.items()}
    spread = max(rarity.values()) - min(rarity.values())
    total = 0.0
    for row, target in zip(outputs, targets, strict=True):
        margin = 0.3 * (rarity[target] - min(rarity.values())) / spread if spread else 0.0
        weight = len(targets) / (len(counts) * present[target])
        total += weight * arcface(row, target, counts, margin, 4.0)
    return total / len(targets)


def awb(outputs, targets, counts):
    own = {}
    for row, target in zip(outputs, targets, strict=True):
        own.setdefault(target, []).append(softmax(row)[target])
    largest = max(len(members) for members in own.values())
    alpha = [
        math.log(largest / len(own[class_id])) + 1 if class_id in own else 0.0
        for class_id in range(len(counts))
    ]
    first = second = 0.0
    for class_id, members in own.items():
        first += alpha[class_id] * mean(-math.log(p + 1e-6) for p in members) / len(counts)
        deviation = 0.0
        if len(members) > 1:
            deviation = math.sqrt(sum((p - mean(members)) ** 2 for p in members) / (len(members) - 1))
        second += len(members) / len(targets) * softmax(alpha)[class_id] * deviation / mean(members)
    return first + second


def sum_over_classes(positive, negative):
    def row_loss(row, target, counts):
        return sum(
            positive(sigmoid(value)) if class_id == target else negative(sigmoid(value))
            for class_id, value in enumerate(row)
        )

    return row_loss


asl = sum_over_classes(
    lambda p: -(1 - p) * math.log(p),
    lambda p: -(max(p - 0.05, 0) ** 4) * math.log(1 - max(p - 0.05, 0)),
)
apl = sum_over_classes(
    lambda p: -(math.log(p) + (1 - p) - 1.25 * (1 - p) ** 2),
    lambda p: -(max(p - 0.05, 0) ** 4) * math.log(min(1 - p + 0.05, 1)),
)
alpa = sum_over_classes(lambda p: 1.3125 * (1 - p), lambda p: 1.625 * p**9)

bce = sum_over_classes(lambda p: -math.log(p), lambda p: -math.log(1 - p))
sigmoid_focal = sum_over_classes(lambda p: -((1 - p) ** 2) * math.log(p), lambda p: -(p**2) * math.log(1 - p))


def hill(row, target, counts):
    total = 0.0
    for class_id, value in enumerate(row):
        if class_id == target:
            shifted = sigmoid(value - 1)
            total -= (1 - shifted) ** 2 * math.log(shifted)
        else:
            total += (1.5 - sigmoid(value)) * sigmoid(value) ** 2
    return total


def asl_softmax(row, target, counts):
    total = 0.0
    for class_id, p in enumerate(softmax(row)):
        label = 0.9 * (class_id == target) + 0.1 / len(row)
        total -= label * (1.0 if class_id == target else p**4) * math.log(p)
    return total


def soft_counts(outputs, targets, class_id):
    tp = fp = fn = tn = 0.0
    for row, target in zip(outputs, targets, strict=True):
        p = softmax(row)[class_id]
        if target == class_id:
            tp, fn = tp + p, fn + 1 - p
        else:
            fp, tn = fp + p, tn + 1 - p
    return tp, fp, fn, tn


def soft_f1(outputs, targets, counts):
    total = 0.0
    for class_id in range(len(counts)):
        tp, fp, fn, _ = soft_counts(outputs, targets, class_id)
        total += 2 * tp / (2 * tp + fp + fn)
    return 1 - total / len(counts)


def soft_mcc(outputs, targets, counts):
    """R_K as Gorodkin writes it: covariances of the true and the predicted indicators."""
    probabilities = [softmax(row) for row in outputs]
    truth = [[float(target == c) for c in range(len(counts))] for target in targets]

    def covariance(left, right):
        total = 0.0
        for class_id in range(len(counts)):
            left_mean = mean(row[class_id] for row in left)
            right_mean = mean(row[class_id] for row in right)
            for left_row, right_row in zip(left, right, strict=True):
                total += (left_row[class_id] - left_mean) * (right_row[class_id] - right_mean)
        return total

    if len(set(targets)) == 1:  # no correlation with a constant
        return 1.0
    predicted_mean = [mean(row[c] for row in probabilities) for c in range(len(counts))]
    size = len(targets)
    # The spread of soft predictions is that of decisions drawn from them, s² - Σp², not of the probabilities.
    spread = size * (1 - sum(value**2 for value in predicted_mean))
    return 1 - covariance(truth, probabilities) / math.sqrt(spread * covariance(truth, truth))


def ce(row, target, counts):
    return cross_entropy(row, target)


REFERENCES = {
    "ce": mean_of_rows(ce),
    "weighted_ce": mean_of_rows(weighted_ce),
    "focal": mean_of_rows(focal),
    "class_balanced": mean_of_rows(class_balanced),
    "ldam": mean_of_rows(ldam),
    "balanced_softmax": mean_of_rows(lambda row, target, counts: vector_scaling(row, target, counts, 0.0)),
    "logit_adjusted": mean_of_rows(lambda row, target, counts: vector_scaling(row, target, counts, 0.0)),
    "vector_scaling": mean_of_rows(vector_scaling),
    "complement_ce": mean_of_rows(complement_ce),
    "awb": awb,
    "arcface": mean_of_rows(arcface),
    "cosface": mean_of_rows(cosface),
    "sphereface": mean_of_rows(sphereface),
    "adacos": adacos,
    "dal": dal,
    "dbm": mean_of_rows(dbm),
    "dbm_bs": mean_of_rows(dbm_bs),
    "bce": mean_of_rows(bce),
    "sigmoid_focal": mean_of_rows(sigmoid_focal),
    "hill": mean_of_rows(hill),
    "asl": mean_of_rows(asl),
    "asl_softmax": mean_of_rows(asl_softmax),
    "apl": mean_of_rows(apl),
    "alpa": mean_of_rows(alpa),
    "soft_f1": soft_f1,
    "soft_mcc": soft_mcc,
    "ce+soft_f1": lambda *batch: mean_of_rows(ce)(*batch) + soft_f1(*batch),
    "ce+soft_mcc": lambda *batch: mean_of_rows(ce)(*batch) + soft_mcc(*batch),
}
