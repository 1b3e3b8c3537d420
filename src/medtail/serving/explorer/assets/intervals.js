// Intervals of proportions, as medtail.metrics has them.

const Z95 = 1.959963984540054;

// Wilson's score interval; the number of trials need not be whole.
function wilson(share, trials) {
  if (!(trials > 0)) return null;
  const z2 = Z95 * Z95;
  const middle = (share + z2 / (2 * trials)) / (1 + z2 / trials);
  const half = (Z95 / (1 + z2 / trials)) * Math.sqrt((share * (1 - share)) / trials + z2 / (4 * trials * trials));
  return [share === 0 ? 0 : Math.max(0, middle - half), share === 1 ? 1 : Math.min(1, middle + half)];
}

function logFactorials(n) {
  const logs = new Float64Array(n + 1);
  for (let k = 2; k <= n; k++) logs[k] = logs[k - 1] + Math.log(k);
  return logs;
}

// P(Binomial(n, p) ≥ k).
function binomialTail(k, n, p, logs = logFactorials(n)) {
  if (k <= 0) return 1;
  let total = 0;
  for (let j = k; j <= n; j++) {
    total += Math.exp(logs[n] - logs[j] - logs[n - j] + j * Math.log(p) + (n - j) * Math.log1p(-p));
  }
  return Math.min(1, total);
}

// The exact one-sided lower 95 % bound (Clopper and Pearson 1934), by bisection.
function exactLowerBound(successes, trials) {
  if (!trials) return null;
  if (!successes) return 0;
  const logs = logFactorials(trials);
  let low = 0;
  let high = 1;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (binomialTail(successes, trials, middle, logs) < 0.05) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

// The rank of the threshold that promises a recall, on average or with a confidence; 0 where cases are too few.
function promisedRank(cases, recall, confidence) {
  if (confidence === null) return Math.floor((cases + 1) * (1 - recall) + 1e-9);
  const logs = logFactorials(cases);
  let rank = 0;
  while (rank < cases && binomialTail(rank + 1, cases, 1 - recall, logs) >= confidence) rank++;
  return rank;
}

function casesNeeded(recall, confidence) {
  return confidence === null
    ? Math.ceil(recall / (1 - recall) - 1e-9)
    : Math.ceil(Math.log(1 - confidence) / Math.log(recall) - 1e-9);
}
