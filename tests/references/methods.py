"""BCL, GML and NCL a second time: naive training steps from the equations, with explicit queues, copies and SGD.

Nothing here is shared with medtail. The parameters are a dictionary of tensors in the names of medtail's state, so that
both can start from the same weights; gradients come from autograd through the loops below.
"""

import math

import torch


def linear(weights, name, features):
    return features @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def batch_norm(weights, name, features):
    mean = features.mean(0)
    variance = (features - mean).square().mean(0)
    normalized = (features - mean) / (variance + 1e-5).sqrt()
    return normalized * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def normalized_projector(weights, name, features):
    hidden = batch_norm(weights, f"{name}.1", linear(weights, f"{name}.0", features)).clamp(min=0)
    return unit(linear(weights, f"{name}.3", hidden))


def unit(rows):
    return torch.stack([row / row.square().sum().sqrt() for row in rows])


def backbone(weights, name, images):
    """The tests' backbone: one layer of pixels."""
    return torch.tanh(linear(weights, f"{name}.1", images.flatten(1)))


def head(weights, name, features, kind):
    if kind == "balanced_softmax":
        return linear(weights, f"{name}.linear", features)
    return unit(features) @ unit(weights[f"{name}.weight"]).T


def training_scores(kind, outputs, targets, counts):
    """Of balanced softmax on logits, of balanced softmax on cosines at scale 30, or of DBM-BS at scale 32."""
    rows = []
    for row, target in zip(outputs, targets.tolist(), strict=True):
        scores = list(row)
        if kind == "dbm_bs":
            margin = 0.1 * min(counts) / counts[target]
            if int(row.argmax()) != target:
                margin = margin + margin * (1 - row[target]) / 2
            scores[target] = torch.cos(torch.acos(row[target]) + margin)
        scale = {"balanced_softmax": 1, "balanced_cosines": 30, "dbm_bs": 32}[kind]
        rows.append(
            torch.stack(
                [
                    scale * score + math.log(count / sum(counts))
                    for score, count in zip(scores, counts, strict=True)
                ]
            )
        )
    return torch.stack(rows)


def scales(kind):
    return {"balanced_softmax": 1, "balanced_cosines": 30, "dbm_bs": 32}[kind]


def cross_entropy(scores, targets):
    return sum(
        row.exp().sum().log() - row[target] for row, target in zip(scores, targets.tolist(), strict=True)
    ) / len(targets)


def divergence(teacher, student, offset=0):
    """Mean KL(teacher ‖ student) of two tables of scores; the student's probabilities may be offset."""
    p = teacher.exp() / teacher.exp().sum(1, keepdim=True)
    q = student.exp() / student.exp().sum(1, keepdim=True)
    return (p * (p.log() - (q + offset).log())).sum() / len(p)


class Trained:
    """Ten steps of SGD with momentum and weight decay, written out."""

    #: Parameters without weight decay.
    undecayed = ()

    def __init__(self, weights, kind, counts, *, rate=0.05, momentum=0.9, decay=0.01):
        self.weights = {name: value.clone() for name, value in weights.items()}
        self.kind, self.counts = kind, counts
        self.rate, self.momentum, self.decay = rate, momentum, decay
        self.trained = [name for name in self.weights if self.is_trained(name)]
        self.velocity = {name: torch.zeros_like(self.weights[name]) for name in self.trained}

    def is_trained(self, name):
        return name.endswith(("weight", "bias")) and "encoder" not in name

    def step(self, batch):
        for name in self.trained:
            self.weights[name] = self.weights[name].detach().requires_grad_()
        loss = self.loss(batch)
        gradients = torch.autograd.grad(loss, [self.weights[name] for name in self.trained])
        for name, gradient in zip(self.trained, gradients, strict=True):
            value = self.weights[name].detach()
            decay = 0 if name in self.undecayed else self.decay
            self.velocity[name] = self.momentum * self.velocity[name] + gradient + decay * value
            self.weights[name] = value - self.rate * self.velocity[name]
        self.after_step()
        return loss.detach()

    def after_step(self):
        pass


class BalancedContrastive(Trained):
    def loss(self, batch):
        targets = batch["target"]
        count = len(targets)
        images = torch.cat([batch["image"], batch["image_1"], batch["image_2"]])
        features = backbone(self.weights, "backbone", images)
        outputs = head(self.weights, "head", features[:count], self.kind)
        projected = normalized_projector(self.weights, "contrast.views", features)
        centres = self.weights["head.linear.weight" if self.kind == "balanced_softmax" else "head.weight"]
        prototypes = normalized_projector(self.weights, "contrast.prototypes", centres)
        keys = [*projected[count:], *prototypes]
        classes = [*targets.tolist(), *targets.tolist(), *range(len(self.counts))]
        total = 0
        for anchor in range(2 * count):
            similarity = [(keys[anchor] @ key) / 0.1 for key in keys]
            others = [key for key in range(len(keys)) if key != anchor]
            denominator = 0
            for label in range(len(self.counts)):
                own = [similarity[key].exp() for key in others if classes[key] == label]
                denominator = denominator + sum(own) / len(own)
            positives = [similarity[key] for key in others if classes[key] == classes[anchor]]
            total = total + torch.log(denominator) - sum(positives) / len(positives)
        scores = training_scores(self.kind, outputs, targets, self.counts)
        return 2.0 * cross_entropy(scores, targets) + 0.6 * total / (2 * count)


class GaussianMixture(Trained):
    undecayed = ("contrast.log_temperature",)

    def __init__(self, weights, kind, counts, *, teacher, size, **settings):
        super().__init__(weights, kind, counts, **settings)
        self.teacher = teacher
        # Two places for each class, and the rest in proportion to the counts.
        ends, total = [], 0
        for number, count in enumerate(counts, start=1):
            total += count
            ends.append(math.ceil(2 * number + (size - 2 * len(counts)) * total / sum(counts) - 1e-9))
        starts = [0, *ends[:-1]]
        keys = self.weights["contrast.queue.keys"]
        self.slices = [
            [(keys[place], place - size) for place in range(start, end)]
            for start, end in zip(starts, ends, strict=True)
        ]
        self.pointers = [0] * len(counts)

    def is_trained(self, name):
        return super().is_trained(name) or name == "contrast.log_temperature"

    def write(self, features, targets, images):
        written = [0] * len(self.counts)
        for feature, target, image in zip(features, targets.tolist(), images.tolist(), strict=True):
            size = len(self.slices[target])
            if written[target] < size:
                place = (self.pointers[target] + written[target]) % size
                self.slices[target][place] = (feature, image)
            written[target] += 1
        self.pointers = [
            (pointer + new) % len(own)
            for pointer, new, own in zip(self.pointers, written, self.slices, strict=True)
        ]

    def loss(self, batch):
        targets = batch["target"]
        features = backbone(self.weights, "backbone", batch["image"])
        outputs = head(self.weights, "head", features, self.kind)
        queries = normalized_projector(
            self.weights, "contrast.queries", backbone(self.weights, "backbone", batch["image_1"])
        )
        self.write(self.teacher.features(batch["image_2"]), targets, batch["row"])
        memory = [entry for own in self.slices for entry in own]
        labels = [label for label, own in enumerate(self.slices) for _ in own]
        keys = normalized_projector(self.weights, "contrast.keys", torch.stack([key for key, _ in memory]))
        temperature = self.weights["contrast.log_temperature"].exp()
        total = 0
        for query, target, image in zip(queries, targets.tolist(), batch["row"].tolist(), strict=True):
            for of_features in (True, False):
                scores = []
                for label, count in enumerate(self.counts):
                    powers = []
                    for key, own, (_, key_image) in zip(keys, labels, memory, strict=True):
                        if own != label or (not of_features and key_image == image):
                            continue
                        similarity = query @ key
                        power = (
                            similarity / temperature.detach()
                            if of_features
                            else similarity.detach() / temperature
                        )
                        powers.append(power.exp())
                    scores.append(torch.log(sum(powers) / len(powers)) + math.log(count / sum(self.counts)))
                scores = torch.stack(scores)
                total = total + scores.exp().sum().log() - scores[target]
        classification = cross_entropy(training_scores(self.kind, outputs, targets, self.counts), targets)
        teacher_scores = self.teacher.log_probabilities(batch["image"])
        softened = 16 * divergence(teacher_scores / 4, scales(self.kind) * outputs / 4)
        return classification + total / len(targets) + softened


class NestedCollaborative(Trained):
    def __init__(
        self, weights, kind, counts, *, experts, hard, momentum_of_copies, official=False, **settings
    ):
        super().__init__(weights, kind, counts, **settings)
        self.official = official
        self.experts, self.hard, self.follow = experts, hard, momentum_of_copies
        self.queues = [list(self.weights[f"contrast.{expert}.queue.keys"]) for expert in range(experts)]
        self.positions = [0] * experts
        self.pending = []

    def loss(self, batch):
        targets = batch["target"]
        features = [
            backbone(self.weights, f"experts.{expert}.backbone", batch["image"])
            for expert in range(self.experts)
        ]
        outputs = [
            head(self.weights, f"experts.{expert}.head", own, self.kind)
            for expert, own in enumerate(features)
        ]
        scores = [training_scores(self.kind, own, targets, self.counts) for own in outputs]
        total = sum(cross_entropy(own, targets) for own in scores)
        hard = [[] for _ in range(self.experts)]
        for number, target in enumerate(targets.tolist()):
            others = [label for label in range(len(self.counts)) if label != target]
            others.sort(key=lambda label, row=outputs[0][number]: -float(row[label].detach()))
            kept = [target, *others[: self.hard - 1]]
            for expert in range(self.experts):
                row = scores[expert][number]
                if self.official:
                    # The others stay, with score 0, where scores have the counts in place of their shares.
                    offset = math.log(sum(self.counts))
                    hard[expert].append(
                        torch.stack(
                            [
                                row[label] + offset if label in kept else 0 * row[label]
                                for label in range(len(self.counts))
                            ]
                        )
                    )
                else:
                    hard[expert].append(torch.stack([row[label] for label in kept]))
        hard = [torch.stack(rows) for rows in hard]
        places = targets if self.official else torch.zeros_like(targets)
        total = total + sum(cross_entropy(own, places) for own in hard)
        for tables in (scores, hard):
            for teacher in range(self.experts):
                for student in range(self.experts):
                    if teacher != student:
                        pair = divergence(tables[teacher], tables[student], 1e-9 if self.official else 0)
                        total = total + 0.6 * pair / (self.experts - 1)
        self.pending = []
        for expert, own in enumerate(features):
            name = f"contrast.{expert}"
            query = unit(self.plain(f"{name}.projector.0", f"{name}.projector.2", own))
            other = torch.tanh(
                linear(self.weights, f"{name}.encoder.copies.0.1", batch["image_1"].flatten(1))
            )
            copies = f"{name}.encoder.copies.1"
            key = unit(self.plain(f"{copies}.0", f"{copies}.2", other))
            total = total + self.contrast(query, key, self.queues[expert])
            self.pending.append(list(key))
        return total

    def plain(self, first, second, features):
        return linear(self.weights, second, linear(self.weights, first, features).clamp(min=0))

    def contrast(self, queries, keys, queue):
        total = 0
        for query, key in zip(queries, keys, strict=True):
            scores = torch.stack([query @ key, *(query @ negative for negative in queue)]) / 0.2
            total = total + scores.exp().sum().log() - scores[0]
        return total / len(queries)

    def after_step(self):
        for expert, keys in enumerate(self.pending):
            for key in keys:
                self.queues[expert][self.positions[expert]] = key
                self.positions[expert] = (self.positions[expert] + 1) % len(self.queues[expert])
            pairs = {
                f"contrast.{expert}.encoder.copies.0.1": f"experts.{expert}.backbone.1",
                f"contrast.{expert}.encoder.copies.1.0": f"contrast.{expert}.projector.0",
                f"contrast.{expert}.encoder.copies.1.2": f"contrast.{expert}.projector.2",
            }
            for copy, source in pairs.items():
                for part in ("weight", "bias"):
                    old, new = self.weights[f"{copy}.{part}"], self.weights[f"{source}.{part}"]
                    self.weights[f"{copy}.{part}"] = self.follow * old + (1 - self.follow) * new
