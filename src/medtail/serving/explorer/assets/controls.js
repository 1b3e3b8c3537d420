// The settings of an operating point, and the inputs that change them.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Costs of C × C inputs stay usable up to here.
const MOST_COST_CLASSES = 12;

function firstSettings(run) {
  const classes = run.classNames.length;
  const validation = splitOf(run, "validation");
  const rarest = validation.counts.indexOf(Math.min(...validation.counts.filter((count) => count)));
  return {
    rule: "most_probable",
    classId: classes === 2 ? run.positive : rarest,
    threshold: 0.5,
    recall: 0.9,
    confidence: null,
    weights: new Array(classes).fill(1),
    costs: run.classNames.map((_, c) => run.classNames.map((_, j) => (c === j ? 0 : 1))),
    prior: null,
    shares: validation.counts.map((count) => Math.max(0.1, Math.round((1000 * count) / validation.n) / 10)),
    condition: 0,
  };
}

function numberInput(id, value, attributes, changed) {
  return element("input", { type: "number", id, value, required: true, ...attributes, oninput: (event) => {
    const given = event.target.valueAsNumber;
    const fine = Number.isFinite(given) && event.target.checkValidity();
    event.target.setAttribute("aria-invalid", String(!fine));
    if (fine) changed(given);
  } });
}

// A slider and a number that follow one another. `toNumber` takes the place of the slider to the value.
function slider(id, label, value, { min, max, step, toNumber = (x) => x, toPlace = (x) => x, ...limits }, changed) {
  const range = element("input", { type: "range", id: `${id}-slider`, min, max, step, value: toPlace(value), "aria-label": label });
  const number = numberInput(id, value, { step: "any", ...limits }, (given) => {
    range.value = toPlace(given);
    changed(given);
  });
  range.addEventListener("input", () => {
    const given = Number(toNumber(range.valueAsNumber).toPrecision(6));
    range.setAttribute("aria-valuetext", String(given));
    number.value = given;
    number.setAttribute("aria-invalid", "false");
    changed(given);
  });
  return element("div", { class: "slider" }, element("label", { for: id }, label), range, number);
}

function classSelect(id, run, chosen, changed) {
  const options = run.classNames.map((name, c) => element("option", { value: c, selected: c === chosen }, name));
  return element("select", { id, onchange: (event) => changed(Number(event.target.value)) }, ...options);
}

function ruleInputs(run, settings, update) {
  const set = (name) => (value) => {
    settings[name] = value;
    update();
  };
  const ofClass = () => element("p", {}, element("label", { for: "class" }, "Class"), classSelect("class", run, settings.classId, (classId) => {
    lookAt(classId);
    set("classId")(classId);
  }));
  const logs = { min: -4, max: 4, step: 0.01, toNumber: (x) => 10 ** x, toPlace: Math.log10 };
  const inputs = {
    most_probable: () => [],
    threshold: () => [ofClass(), slider("threshold", "Threshold", settings.threshold, { min: 0, max: 1, step: 0.001 }, set("threshold"))],
    recall: () => [
      ofClass(),
      slider("recall", "Recall", settings.recall, { min: 0.5, max: 0.999, step: 0.001, toNumber: (x) => x }, (value) => {
        if (value > 0 && value < 1) set("recall")(value);
      }),
      element("label", {}, element("input", { type: "checkbox", id: "confident", checked: settings.confidence !== null, onchange: (event) => set("confidence")(event.target.checked ? 0.95 : null) }), " with 95 % confidence"),
    ],
    costs: () => [costTable(run, settings, update)],
    weights: () => run.classNames.map((name, c) => slider(`weight-${c}`, name, settings.weights[c], { ...logs, min: -3, max: 3 }, (value) => {
      if (!(value > 0)) return;
      settings.weights = settings.weights.with(c, value);
      update();
    })),
  };
  return inputs[settings.rule]();
}

function costTable(run, settings, update) {
  const names = run.classNames;
  const head = element("tr", {}, element("th", { scope: "col" }, "truth \\ decision"), ...names.map((name) => element("th", { scope: "col" }, name)));
  const rows = names.map((truth, c) => element("tr", {}, element("th", { scope: "row" }, truth), ...names.map((decision, j) =>
    element("td", {}, numberInput(`cost-${c}-${j}`, settings.costs[c][j], { min: 0, step: "any", "aria-label": `Cost of deciding ${decision} where the truth is ${truth}` }, (value) => {
      settings.costs = settings.costs.map((row, place) => (place === c ? row.with(j, value) : row));
      update();
    })))));
  return element("div", { class: "scroll" }, element("table", { class: "costs" }, element("thead", {}, head), element("tbody", {}, ...rows)));
}

const RULES = {
  most_probable: "the most probable class",
  threshold: "a class from a threshold on",
  recall: "a class with a promised recall",
  costs: "the lowest expected cost",
  weights: "the largest weighted probability",
};

function ruleControls(run, settings, update) {
  const inputs = element("fieldset", { "aria-label": "Settings of the rule" });
  const fill = () => inputs.replaceChildren(...ruleInputs(run, settings, update));
  const choices = Object.entries(RULES)
    .filter(([name]) => name !== "costs" || run.classNames.length <= MOST_COST_CLASSES)
    .map(([name, words]) => element("label", {}, element("input", { type: "radio", name: "rule", value: name, checked: name === settings.rule, onchange: () => {
      settings.rule = name;
      fill();
      update();
    } }), ` ${words}`));
  fill();
  return element("fieldset", {}, element("legend", {}, "Decide"), ...choices, inputs);
}

function priorControls(run, settings, update) {
  const inputs = element("div", { hidden: !settings.prior });
  const take = () => {
    const total = settings.shares.reduce((sum, share) => sum + share, 0);
    settings.prior = settings.shares.map((share) => share / total);
    update();
  };
  inputs.append(...run.classNames.map((name, c) => slider(`share-${c}`, name, settings.shares[c], { min: 0.1, max: 100, step: 0.1 }, (value) => {
    if (!(value > 0)) return;
    settings.shares = settings.shares.with(c, value);
    take();
  })), element("p", { class: "hint" }, "Shares are divided by their sum."));
  const box = element("input", { type: "checkbox", id: "prior", checked: Boolean(settings.prior), onchange: (event) => {
    inputs.hidden = !event.target.checked;
    if (event.target.checked) take();
    else {
      settings.prior = null;
      update();
    }
  } });
  return element("fieldset", {}, element("legend", {}, "Class shares where it is used"), element("label", {}, box, " not as in validation"), inputs);
}

function conditionControls(run, settings, update) {
  if (run.conditions[0] === null) return [];
  const words = (condition) => Object.entries(condition).map(([name, value]) => `${name} = ${value}`).join(", ");
  const options = run.conditions.map((condition, place) => element("option", { value: place, selected: place === settings.condition }, words(condition)));
  const select = element("select", { id: "condition", onchange: (event) => {
    settings.condition = Number(event.target.value);
    update();
  } }, ...options);
  return [element("fieldset", {}, element("legend", {}, "λ"), element("label", { for: "condition" }, "Read the run at"), select)];
}
