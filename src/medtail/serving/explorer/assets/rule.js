// From the settings of the page to an operating point, and from probabilities to decisions. The arithmetic is that of
// medtail.operating_point, operation by operation, so that results agree to the last digit.

const SMALLEST = 1e-38;

// Bayes' rule from one prior to another; column after column, as numbers are stored.
function shifted(probabilities, n, source, target) {
  const classes = source.length;
  const joint = new Float64Array(n * classes);
  const totals = new Float64Array(n);
  for (let c = 0; c < classes; c++) {
    const ratio = target[c] / source[c];
    for (let i = 0; i < n; i++) {
      const value = Math.max(probabilities[c * n + i], SMALLEST) * ratio;
      joint[c * n + i] = value;
      totals[i] += value;
    }
  }
  for (let c = 0; c < classes; c++) for (let i = 0; i < n; i++) joint[c * n + i] /= totals[i];
  return joint;
}

function samePriors(first, second) {
  return first.every((value, c) => Math.abs(value - second[c]) <= 1e-9 * Math.abs(second[c]));
}

function argmaxOf(n, classes, score) {
  const best = new Float64Array(n).fill(-Infinity);
  const decisions = new Uint16Array(n);
  for (let c = 0; c < classes; c++) {
    for (let i = 0; i < n; i++) {
      const value = score(c, i);
      if (value > best[i]) {
        best[i] = value;
        decisions[i] = c;
      }
    }
  }
  return decisions;
}

const DECIDE = {
  most_probable: (rule, p, n, classes) => argmaxOf(n, classes, (c, i) => p[c * n + i]),
  class_weights: (rule, p, n, classes) => argmaxOf(n, classes, (c, i) => rule.weights[c] * p[c * n + i]),
  class_threshold(rule, p, n, classes) {
    const own = rule.classId;
    const decisions = argmaxOf(n, classes, (c, i) => (c === own ? -1 : p[c * n + i]));
    for (let i = 0; i < n; i++) if (p[own * n + i] >= rule.threshold) decisions[i] = own;
    return decisions;
  },
  minimum_cost(rule, p, n, classes) {
    const costs = new Float64Array(n * classes);
    for (let j = 0; j < classes; j++)
      for (let c = 0; c < classes; c++) {
        const cost = rule.costs[c][j];
        for (let i = 0; i < n; i++) costs[j * n + i] += p[c * n + i] * cost;
      }
    return argmaxOf(n, classes, (c, i) => -costs[c * n + i]);
  },
};

// The prior the scores are moved to; null where they stay as the loss gives them.
function targetPrior(settings, shares) {
  if (settings.prior) return settings.prior;
  return settings.rule === "costs" ? shares : null;
}

// The threshold that promises a recall on validation, or why there is none.
function promisedThreshold(settings, p, validation) {
  const own = settings.classId;
  const scores = [];
  for (let i = 0; i < validation.n; i++) if (validation.targets[i] === own) scores.push(p[own * validation.n + i]);
  const rank = promisedRank(scores.length, settings.recall, settings.confidence);
  if (!rank) {
    const needed = casesNeeded(settings.recall, settings.confidence);
    return { problem: `A recall of ${settings.recall} needs ${needed} validation cases, there are ${scores.length}; ask for less.` };
  }
  return { threshold: Float64Array.from(scores).sort()[rank - 1] };
}

// Everything that turns saved probabilities into decisions, chosen on validation alone.
function chosenPoint(run, settings) {
  const validation = splitOf(run, "validation");
  const shares = validation.counts.map((count) => count / validation.n);
  const source = run.sources[settings.condition];
  const target = targetPrior(settings, shares);
  const absent = shares.some((share) => share === 0);
  if (target === shares && absent) return { problem: "Costs without a prior need a validation case of every class; give class shares." };
  const shift = target && !samePriors(source, target) ? { source, target } : null;
  const point = { shift, source, shares, problem: null, decision: { name: "most_probable" } };
  if (settings.rule === "threshold") point.decision = { name: "class_threshold", classId: settings.classId, threshold: settings.threshold };
  if (settings.rule === "weights") point.decision = { name: "class_weights", weights: settings.weights };
  if (settings.rule === "costs") point.decision = { name: "minimum_cost", costs: settings.costs };
  if (settings.rule === "recall") {
    const { threshold, problem } = promisedThreshold(settings, appliedTo(run, validation, settings, point), validation);
    if (problem) return { problem };
    point.decision = { name: "class_threshold", classId: settings.classId, threshold };
  }
  return point;
}

// Probabilities where the model is used. The last ones are kept: most moves of a control leave them as they are.
const applied = new Map();

function appliedTo(run, split, settings, point) {
  const saved = probabilitiesOf(run, split, settings.condition);
  if (!point.shift) return saved;
  const key = JSON.stringify([settings.condition, point.shift]);
  const kept = applied.get(split);
  if (kept && kept.key === key) return kept.values;
  const values = shifted(saved, split.n, point.shift.source, point.shift.target);
  applied.set(split, { key, values });
  return values;
}

function decisionsOf(point, probabilities, n, classes) {
  return DECIDE[point.decision.name](point.decision, probabilities, n, classes);
}

const byClass = (values, names) => Object.fromEntries(names.map((name, c) => [name, values[c]]));

function plainDecision({ name, classId, threshold, weights, costs }, names) {
  if (name === "class_threshold") return { name, class: names[classId], threshold };
  if (name === "class_weights") return { name, weights: byClass(weights, names) };
  if (name === "minimum_cost") return { name, costs: byClass(costs.map((row) => byClass(row, names)), names) };
  return { name };
}

function plainGoal(settings, names) {
  const goals = {
    most_probable: { decide: "most_probable" },
    threshold: { decide: "threshold_by_hand" },
    weights: { decide: "weights_by_hand" },
    costs: { decide: "minimum_cost" },
    recall: {
      decide: "recall",
      class: names[settings.classId],
      recall: settings.recall,
      promised: settings.confidence === null ? "on_average" : "with_confidence",
      ...(settings.confidence === null ? {} : { confidence: settings.confidence }),
    },
  };
  const prior = settings.prior && byClass(settings.prior, names);
  return { ...goals[settings.rule], prior, calibrate: "none", coverage: null };
}

// The content of operating_point.json.
function plainPoint(run, settings, point, validation, notes) {
  const names = run.classNames;
  const steps = point.shift
    ? [{ name: "prior_shift", source: byClass(point.shift.source, names), target: byClass(point.shift.target, names) }]
    : [];
  return {
    format: run.format,
    medtail: run.medtail,
    run: run.name,
    goal: plainGoal(settings, names),
    chosen_on: "validation",
    class_names: names,
    condition: run.conditions[settings.condition],
    steps,
    decision: plainDecision(point.decision, names),
    sets: null,
    validation,
    notes,
  };
}
