// What decisions are worth: counts, rates with intervals, costs, net benefit, subgroups.

function confusionOf(targets, decisions, classes) {
  const counts = Array.from({ length: classes }, () => new Array(classes).fill(0));
  for (let i = 0; i < targets.length; i++) counts[targets[i]][decisions[i]]++;
  return counts;
}

// How much an image of each class counts, so that classes are as frequent as where the model is used.
function weightsFor(prior, split) {
  return split.counts.map((count, c) => (!prior ? 1 : count ? (prior[c] * split.n) / count : 0));
}

// A share of weighted counts; its interval is Wilson's, with Kish's effective number of cases (Σw)² / Σw².
function rate(parts) {
  let hits = 0;
  let total = 0;
  let squares = 0;
  for (const [hit, count, weight] of parts) {
    hits += hit * weight;
    total += count * weight;
    squares += count * weight * weight;
  }
  if (!total) return { value: null, interval: null };
  const value = hits / total;
  return { value, interval: wilson(value, (total * total) / squares) };
}

function classMeasures(confusion, weights, own) {
  const counts = confusion.map((row) => row.reduce((sum, value) => sum + value, 0));
  const others = confusion.map((row, c) => c).filter((c) => c !== own);
  return {
    n: counts[own],
    recall: rate([[confusion[own][own], counts[own], 1]]),
    precision: rate(confusion.map((row, c) => [c === own ? row[own] : 0, row[own], weights[c]])),
    npv: rate(confusion.map((row, c) => [c === own ? 0 : counts[c] - row[own], counts[c] - row[own], weights[c]])),
    falsePositiveRate: rate(others.map((c) => [confusion[c][own], counts[c], weights[c]])),
  };
}

const mean = (values) => {
  const known = values.filter((value) => value !== null && !Number.isNaN(value));
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
};

// Metrics over all classes, by the keys of medtail.
function overallMeasures(confusion, weights) {
  const rows = confusion.map((row, c) => row.map((count) => count * weights[c]));
  const targets = rows.map((row) => row.reduce((sum, value) => sum + value, 0));
  const decided = rows.map((row, c) => rows.reduce((sum, other) => sum + other[c], 0));
  const total = targets.reduce((sum, value) => sum + value, 0);
  const hits = rows.map((row, c) => row[c]);
  return {
    accuracy: hits.reduce((sum, value) => sum + value, 0) / total,
    balanced_accuracy: mean(hits.map((hit, c) => (targets[c] ? hit / targets[c] : null))),
    macro_f1: mean(hits.map((hit, c) => (targets[c] + decided[c] ? (2 * hit) / (targets[c] + decided[c]) : null))),
  };
}

// Mean cost of a decision. Classes are strata with their shares; the interval is that of a normal mean.
function expectedCost(confusion, weights, costs) {
  const counts = confusion.map((row) => row.reduce((sum, value) => sum + value, 0));
  const total = counts.reduce((sum, count, c) => sum + count * weights[c], 0);
  let value = 0;
  let variance = 0;
  confusion.forEach((row, c) => {
    if (!counts[c]) return;
    const share = (counts[c] * weights[c]) / total;
    const own = row.reduce((sum, count, j) => sum + count * costs[c][j], 0) / counts[c];
    const squares = row.reduce((sum, count, j) => sum + count * (costs[c][j] - own) ** 2, 0);
    value += share * own;
    variance += (share * share * squares) / counts[c] / Math.max(1, counts[c] - 1);
  });
  const half = Z95 * Math.sqrt(variance);
  return { value, interval: [Math.max(0, value - half), value + half] };
}

const CURVE = Array.from({ length: 99 }, (_, place) => (place + 1) / 100);

// Net benefit of acting where the probability of a class reaches each threshold, and of acting on everybody.
function decisionCurve(probabilities, split, own, weights) {
  const n = split.n;
  const reached = [new Float64Array(100), new Float64Array(100)];
  const all = [0, 0];
  for (let i = 0; i < n; i++) {
    const target = split.targets[i];
    const kind = target === own ? 0 : 1;
    const p = probabilities[own * n + i];
    let place = Math.min(99, Math.floor(p * 100));
    while (place > 0 && place / 100 > p) place--;
    while (place < 99 && (place + 1) / 100 <= p) place++;
    reached[kind][place] += weights[target];
    all[kind] += weights[target];
  }
  const total = all[0] + all[1];
  for (const counts of reached) for (let place = 98; place >= 0; place--) counts[place] += counts[place + 1];
  const benefit = (hits, misses, t) => hits / total - ((misses / total) * t) / (1 - t);
  return CURVE.map((t, place) => ({
    threshold: t,
    model: benefit(reached[0][place + 1], reached[1][place + 1], t),
    all: benefit(all[0], all[1], t),
  }));
}

function changedImages(before, after) {
  const rows = [];
  for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) rows.push(i);
  return rows;
}

// The recall of a class, and how often it is decided wrongly, in each value of a column of the table.
function subgroups(attribute, targets, decisions, own) {
  const groups = attribute.values.map((value) => ({ value, n: 0, cases: 0, found: 0, falsely: 0 }));
  for (let i = 0; i < targets.length; i++) {
    const group = groups[attribute.codes[i]];
    group.n++;
    if (targets[i] === own) {
      group.cases++;
      if (decisions[i] === own) group.found++;
    } else if (decisions[i] === own) group.falsely++;
  }
  return groups.map((group) => ({
    ...group,
    recall: rate([[group.found, group.cases, 1]]),
    falsePositiveRate: rate([[group.falsely, group.n - group.cases, 1]]),
  }));
}
