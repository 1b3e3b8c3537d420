"use strict";
// Reading what the page carries.

const KINDS = { Uint8Array, Uint16Array, Int32Array, Float32Array, Float64Array };

function unpacked({ kind, base64 }) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  return new KINDS[kind](bytes.buffer);
}

// A split is unpacked when it is first shown.
function splitOf(run, name) {
  const saved = run.splits[name];
  if (!saved.read) {
    const attributes = {};
    for (const [column, { values, codes }] of Object.entries(saved.attributes)) {
      attributes[column] = { values, codes: unpacked(codes) };
    }
    const targets = unpacked(saved.targets);
    const counts = new Array(run.classNames.length).fill(0);
    for (const target of targets) counts[target]++;
    saved.read = { name, ids: saved.ids, n: saved.ids.length, targets, counts, attributes, groups: saved.groups, probabilities: [] };
  }
  return saved.read;
}

// Probabilities at the λ of an index, one class after the other: that of class c and image i is at c * n + i.
function probabilitiesOf(run, split, condition) {
  if (!split.probabilities[condition]) {
    split.probabilities[condition] = unpacked(run.splits[split.name].probabilities[condition]);
  }
  return split.probabilities[condition];
}
