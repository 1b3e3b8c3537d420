// Drawings, which carry no number that a table does not.

const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Three lines told apart by dashes and names, not by colour alone.
function curveDrawing(curve, name) {
  const [width, height, left, bottom, top] = [640, 300, 56, 40, 14];
  const highest = Math.max(0.01, ...curve.map((row) => Math.max(row.model, row.all)));
  const lowest = -0.25 * highest;
  const x = (t) => left + t * (width - left - 110);
  const y = (value) => top + ((highest - Math.max(value, lowest)) / (highest - lowest)) * (height - top - bottom);
  const label = `Net benefit of deciding ${name} at thresholds from 0.01 to 0.99; the table below has the numbers.`;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "curve", role: "img", "aria-label": label });
  svg.append(drawn("path", { class: "frame", d: `M${x(0)} ${top}V${height - bottom}H${x(1)}` }));
  for (const t of [0, 0.25, 0.5, 0.75, 1]) svg.append(drawn("text", { x: x(t), y: height - bottom + 16, "text-anchor": "middle" }, t));
  for (const value of [0, highest]) svg.append(drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(3)));
  svg.append(drawn("text", { x: x(0.5), y: height - 6, "text-anchor": "middle" }, `threshold on the probability of ${name}`));
  const lines = [
    ["this model", curve.map((row) => row.model), "", "var(--series-0)", 0.5],
    ["treat all", curve.map((row) => row.all), "7 4", "var(--series-1)", 0],
    ["treat none", curve.map(() => 0), "2 4", "var(--series-7)", 1],
  ];
  const places = { "this model": y(highest) + 14, "treat all": y(highest * 0.5), "treat none": y(0) + 4 };
  for (const [title, values, dash, colour] of lines) {
    const shown = curve.map((row, place) => [row.threshold, values[place]]).filter(([, value]) => value >= lowest);
    const path = shown.map(([t, value], place) => `${place ? "L" : "M"}${x(t).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    svg.append(drawn("path", { class: "line", d: path, "stroke-dasharray": dash, stroke: colour }));
    svg.append(drawn("path", { class: "line", d: `M${x(1) + 4} ${places[title] - 4}h22`, "stroke-dasharray": dash, stroke: colour }));
    svg.append(drawn("text", { x: x(1) + 30, y: places[title] }, title));
  }
  return svg;
}
