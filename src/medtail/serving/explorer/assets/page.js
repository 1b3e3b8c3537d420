// What is shown, and when.

const RUNS = JSON.parse(document.getElementById("contents").textContent);
const at = (id) => document.getElementById(id);
const state = { run: RUNS[0], split: "validation", settings: firstSettings(RUNS[0]), focus: null, column: null };
let waiting = false;

// Many moves of a slider between two frames cause one update.
function update() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const started = performance.now();
    show();
    document.body.dataset.updateMs = String(performance.now() - started);
    document.body.dataset.updates = String(Number(document.body.dataset.updates || 0) + 1);
  });
}

// A rule, judged on a split.
function judged(run, split, settings, point) {
  const classes = run.classNames.length;
  const saved = probabilitiesOf(run, split, 0);
  const probabilities = appliedTo(run, split, settings, point);
  const before = DECIDE.most_probable(null, saved, split.n, classes);
  const after = decisionsOf(point, probabilities, split.n, classes);
  const weights = weightsFor(settings.prior, split);
  const confusion = confusionOf(split.targets, after, classes);
  const confusionBefore = confusionOf(split.targets, before, classes);
  return {
    probabilities, before, after, weights, confusion,
    classes: run.classNames.map((_, c) => classMeasures(confusion, weights, c)),
    overall: overallMeasures(confusion, weights),
    overallBefore: overallMeasures(confusionBefore, weights),
    cost: { before: expectedCost(confusionBefore, weights, settings.costs), after: expectedCost(confusion, weights, settings.costs) },
    confusionBefore,
  };
}

function show() {
  const { run, settings } = state;
  const point = chosenPoint(run, settings);
  at("problem").hidden = !point.problem;
  at("take").disabled = Boolean(point.problem);
  if (point.problem) {
    at("problem").textContent = point.problem;
    at("status").textContent = "There is no such operating point.";
    return;
  }
  const split = splitOf(run, state.split);
  const result = judged(run, split, settings, point);
  const own = state.focus;
  const name = run.classNames[own];
  const changed = changedImages(result.before, result.after);
  at("classes").replaceChildren(classTable(run, result.classes));
  at("overall").replaceChildren(overallTable(result.overall, result.overallBefore, result.cost));
  at("confusion").replaceChildren(confusionTable(run, result.confusion));
  const curve = decisionCurve(result.probabilities, split, own, result.weights);
  const open = at("curve").querySelector("details")?.open;
  at("curve").replaceChildren(curveDrawing(curve, name), curveTable(curve));
  at("curve").querySelector("details").open = Boolean(open);
  showSubgroups(split, result.after, own, name);
  at("changed").replaceChildren(changedTable(run, split, changed, result.before, result.after, result.probabilities));
  warn(result, settings.classId, run.classNames[settings.classId]);
  const mine = result.classes[own];
  at("status").textContent = `${state.split === "test" ? "Test" : "Validation"}: ${name} recall ${short(mine.recall.value)}, precision ${short(mine.precision.value)}, false-positive rate ${short(mine.falsePositiveRate.value)}; ${changed.length} of ${split.n} images change sides.`;
  at("rule").textContent = ruleWords(run, point);
  at("command").textContent = commandOf(run, settings);
}

function warn(result, own, name) {
  const found = result.confusion[own][own];
  const bound = exactLowerBound(found, result.classes[own].n);
  const rate = result.classes[own].falsePositiveRate.value;
  const useless = ["threshold", "recall"].includes(state.settings.rule) && bound !== null && rate !== null && found > 0 && rate >= bound;
  at("problem").hidden = !useless;
  if (useless) at("problem").textContent = `This decision is useless for ${name}: ${(100 * rate).toFixed(1)} % of the other images are taken for ${name}, and choosing it at random would find as many of its own. Ask for a lower recall.`;
  return useless ? [at("problem").textContent] : [];
}

function ruleWords(run, point) {
  const names = run.classNames;
  const { name, classId, threshold } = point.decision;
  const words = {
    most_probable: "Choose the most probable class.",
    class_weights: "Choose the class with the largest product of probability and weight.",
    class_threshold: `Choose ${names[classId]} if its probability is at least ${threshold}, otherwise the most probable other class.`,
    minimum_cost: "Choose the class with the lowest expected cost.",
  };
  const shift = point.shift ? `Move the probabilities to the class shares ${names.map((each, c) => `${each}=${Number(point.shift.target[c].toPrecision(3))}`).join(", ")}. ` : "";
  return shift + words[name];
}

// Where adapt has no such goal, the downloaded file is the way.
function commandOf(run, settings) {
  const quoted = (text) => (/^[\w=.,:+/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  if (settings.condition !== 0 || settings.rule === "threshold" || settings.rule === "weights") return "(only by download: adapt has no such goal)";
  const parts = ["medtail adapt", quoted(run.name)];
  if (settings.rule === "recall") parts.push("--recall", quoted(`${run.classNames[settings.classId]}=${settings.recall}`));
  if (settings.rule === "recall" && settings.confidence !== null) parts.push("--confidence", String(settings.confidence));
  if (settings.rule === "costs") parts.push("--costs", "costs.csv");
  if (settings.prior) parts.push("--prior", quoted(run.classNames.map((name, c) => `${name}=${settings.prior[c]}`).join(",")));
  return parts.length > 2 ? parts.join(" ") : "(nothing to adapt: this is how the run decides)";
}

function showSubgroups(split, decisions, own, name) {
  const columns = Object.keys(split.attributes);
  if (!columns.length) {
    at("subgroups").textContent = "The table of labels has no further columns, or the run was trained before they were kept.";
    return;
  }
  if (!columns.includes(state.column)) state.column = columns[0];
  let select = at("column");
  if (!select) {
    const options = columns.map((column) => element("option", { value: column }, column));
    select = element("select", { id: "column", onchange: (event) => {
      state.column = event.target.value;
      update();
    } }, ...options);
    at("subgroups").replaceChildren(element("p", {}, element("label", { for: "column" }, "By "), select), element("div", { class: "scroll", id: "groups" }));
  }
  at("groups").replaceChildren(subgroupTable(state.column, name, subgroups(split.attributes[state.column], split.targets, decisions, own)));
}

function taken() {
  const { run, settings } = state;
  const point = chosenPoint(run, settings);
  const validation = splitOf(run, "validation");
  const result = judged(run, validation, settings, point);
  const withCost = (overall, cost) => ({ ...overall, ...(settings.rule === "costs" ? { expected_cost: cost.value } : {}) });
  const own = result.classes[settings.classId];
  const confusion = (counts) => {
    if (settings.rule !== "recall") return {};
    const one = classMeasures(counts, result.weights, settings.classId);
    return { recall: one.recall.value, recall_lower_bound: exactLowerBound(counts[settings.classId][settings.classId], own.n), false_positive_rate: one.falsePositiveRate.value };
  };
  const measured = {
    n: validation.n,
    prior: byClass(settings.prior || point.shares, run.classNames),
    before: { ...withCost(result.overallBefore, result.cost.before), ...confusion(result.confusionBefore) },
    after: { ...withCost(result.overall, result.cost.after), ...confusion(result.confusion) },
  };
  const notes = ["Taken from the explorer page.", ...(state.split === "validation" ? warn(result, settings.classId, run.classNames[settings.classId]) : [])];
  return plainPoint(run, settings, point, measured, notes);
}

function download() {
  const file = new Blob([`${JSON.stringify(taken(), null, 2)}\n`], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(file), download: "operating_point.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function fillControls() {
  const { run, settings } = state;
  const about = `${run.method} on ${run.data}, ${run.splits.validation.ids.length} validation and ${run.splits.test.ids.length} test images`;
  at("about").textContent = run.splits.validation.groups === null ? about : `${about} of ${run.splits.validation.groups} and ${run.splits.test.groups} groups (${run.groupColumn})`;
  const rule = element("fieldset", { id: "fixed", disabled: state.split === "test", "aria-label": "Rule" }, ...conditionControls(run, settings, update), ruleControls(run, settings, update), priorControls(run, settings, update));
  at("settings").replaceChildren(rule);
  at("focus").replaceChildren(...run.classNames.map((name, c) => element("option", { value: c }, name)));
  lookAt(settings.classId);
}

// The class that curve, subgroups and status are about; that of a rule, once one is chosen for it.
function lookAt(classId) {
  state.focus = classId;
  at("focus").value = String(classId);
}

at("run").append(...RUNS.map((run, place) => element("option", { value: place }, run.name)));
at("run").addEventListener("change", (event) => {
  state.run = RUNS[Number(event.target.value)];
  state.settings = firstSettings(state.run);
  at("subgroups").replaceChildren();
  fillControls();
  update();
});
for (const radio of document.querySelectorAll('input[name="split"]')) {
  radio.addEventListener("change", () => {
    state.split = radio.value;
    at("fixed").disabled = state.split === "test";
    update();
  });
}
at("focus").addEventListener("change", (event) => {
  lookAt(Number(event.target.value));
  update();
});
at("take").addEventListener("click", download);
at("controls").addEventListener("submit", (event) => event.preventDefault());
fillControls();
update();
