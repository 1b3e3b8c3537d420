// Tables of numbers. Every cell keeps the number it shows in full, as data-value.

const short = (value, digits = 3) => (value === null || Number.isNaN(value) ? "–" : value.toFixed(digits));

function cell(value, key, interval = null, digits = 3) {
  const made = element("td", { "data-key": key, "data-value": value === null ? "" : String(value) }, short(value, digits));
  if (interval) {
    made.dataset.low = interval[0];
    made.dataset.high = interval[1];
    made.append(" ", element("small", {}, `${short(interval[0], digits)} – ${short(interval[1], digits)}`));
  }
  return made;
}

function table(caption, heads, rows, attributes = {}) {
  const head = element("tr", {}, ...heads.map((title) => element("th", { scope: "col" }, title)));
  return element("table", attributes, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...rows));
}

const heading = (text) => element("th", { scope: "row" }, text);

function classTable(run, measures) {
  const keys = ["recall", "precision", "npv", "falsePositiveRate"];
  const rows = measures.map((own, c) => element("tr", { "data-class": run.classNames[c] }, heading(run.classNames[c]), cell(own.n, "n", null, 0), ...keys.map((key) => cell(own[key].value, key, own[key].interval))));
  return table("95 % intervals in small print", ["class", "images", "recall", "precision", "NPV", "false-positive rate"], rows);
}

function overallTable(overall, before, cost) {
  const titles = { accuracy: "Accuracy", balanced_accuracy: "Balanced accuracy", macro_f1: "Macro F1" };
  const rows = Object.entries(titles).map(([key, title]) => element("tr", {}, heading(title), cell(before[key], `before_${key}`), cell(overall[key], key)));
  rows.push(element("tr", {}, heading("Expected cost of a decision"), cell(cost.before.value, "before_expected_cost", cost.before.interval), cell(cost.after.value, "expected_cost", cost.after.interval)));
  return table("Before: the most probable class, as the run gives it", ["metric", "before", "now"], rows);
}

function confusionTable(run, confusion) {
  const names = run.classNames;
  const rows = confusion.map((row, c) => {
    const total = row.reduce((sum, value) => sum + value, 0);
    return element("tr", {}, heading(names[c]), ...row.map((count, j) => {
      const share = total ? count / total : 0;
      const made = element("td", { "data-truth": c, "data-decision": j, "data-value": count, style: `--share: ${Math.round(100 * share)}%`, class: share > 0.55 ? "strong" : "" }, String(count));
      made.append(element("small", {}, total ? `${Math.round(100 * share)} %` : "–"));
      return made;
    }));
  });
  return table("Rows: truth. Columns: decision. Percentages are of the row.", ["", ...names], rows, { class: "confusion" });
}

function curveTable(curve) {
  const rows = curve.filter((row, place) => place % 5 === 4 || place === 0).map((row) =>
    element("tr", { "data-threshold": row.threshold }, heading(row.threshold.toFixed(2)), cell(row.model, "model", null, 4), cell(row.all, "all", null, 4), cell(0, "none", null, 4)));
  return element("details", {}, element("summary", {}, "Numbers of the curve"), table("Net benefit", ["threshold", "this model", "treat all", "treat none"], rows));
}

const MOST_ROWS = 100;

function changedTable(run, split, rows, before, after, probabilities) {
  const n = split.n;
  const names = run.classNames;
  const shown = rows.slice(0, MOST_ROWS).map((i) => element("tr", {}, heading(split.ids[i]), element("td", { class: "text" }, names[split.targets[i]]), element("td", { class: "text" }, names[before[i]]), element("td", { class: "text" }, names[after[i]]),
    element("td", { class: "text" }, after[i] === split.targets[i] ? "✓ now right" : before[i] === split.targets[i] ? "✗ now wrong" : "wrong as before"), cell(probabilities[after[i] * n + i], "probability")));
  const caption = rows.length > MOST_ROWS ? `The first ${MOST_ROWS} of ${rows.length}` : `${rows.length} of ${n} images`;
  return table(caption, ["image", "truth", "most probable class of the run", "now", "", "probability of it"], shown);
}

function subgroupTable(name, className, groups) {
  const rows = groups.map((group) => element("tr", { "data-group": group.value }, heading(group.value), cell(group.n, "n", null, 0), cell(group.cases, "cases", null, 0), cell(group.recall.value, "recall", group.recall.interval), cell(group.falsePositiveRate.value, "falsePositiveRate", group.falsePositiveRate.interval)));
  return table(`${className} by ${name}`, [name, "images", `of ${className}`, "recall", "false-positive rate"], rows);
}
