/* SPDX-License-Identifier: GPL-2.0-only */
/* The charts of the bench's page. tests/bench/run puts these lines into it, before those of page.js. */
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const {figures, series} = data;
const page = document.getElementById("page");
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, ...children) {
  const svg = ["svg", "g", "rect", "line", "path", "text", "circle"].includes(name);
  const node = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "tip") hint(node, value);
    else node.setAttribute(key, value);
  }
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

const tip = document.getElementById("tip");
function hint(node, text) {
  node.addEventListener("pointermove", event => {
    tip.textContent = text;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.min(event.clientX + 14, innerWidth - box.width - 8) + "px";
    tip.style.top = event.clientY + 16 + "px";
    tip.style.opacity = 1;
  });
  node.addEventListener("pointerleave", () => { tip.style.opacity = 0; });
}

function number(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(size >= 20 ? 1 : size < 1.5 ? 3 : 2);
}
const mpps = value => (value / 1e6).toFixed(value < 1e6 ? 2 : value < 1e7 ? 2 : 1);
function duration(ns) {
  if (ns < 1000) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${+(ns / 1e3).toPrecision(3)} µs`;
  return `${+(ns / 1e6).toPrecision(3)} ms`;
}

const COLOUR = {
  "bare redirect": "var(--bare)", "least": "var(--least)", "vxlan-pipeline": "var(--ours)",
  "pipeline, fragmenting on": "var(--ours-soft)",
};
const colour = name => COLOUR[name] || (name.startsWith("kernel") ? "var(--slow)" : "var(--other)");

/* rows: [{name, value, min, max, colour, text, low, high}]; min to max, in words low to high: the middle half */
function bars(rows, options = {}) {
  const wide = options.wide || 1060, label = options.label || 210, high = 28, gap = 7;
  const end = options.max || Math.max(...rows.map(row => row.max));
  const scale = value => value / end * (wide - label - 90);
  const svg = make("svg", {viewBox: `0 0 ${wide} ${rows.length * (high + gap)}`, role: "img"});
  rows.forEach((row, at) => {
    const y = at * (high + gap), middle = y + high / 2;
    const text = `${row.name}\n${row.text}, from ${row.low} to ${row.high}`;
    const own = row.name.includes("pipeline");
    svg.append(make("g", {tip: text},
      make("rect", {x: 0, y: y - gap / 2, width: wide, height: high + gap, fill: "transparent"}),
      make("text", {x: label - 12, y: middle + 4.5, class: own ? "end strong" : "end"}, row.name),
      make("rect", {x: label, y: y + 3, width: Math.max(1.5, scale(row.value)), height: high - 6, rx: 3, fill: row.colour}),
      make("line", {x1: label + scale(row.min), x2: label + scale(row.max), y1: middle, y2: middle,
        stroke: "var(--ink)", "stroke-width": 1.4, opacity: .55}),
      make("text", {x: label + Math.max(scale(row.value), scale(row.max)) + 9, y: middle + 4.5,
        class: own ? "strong" : ""}, row.text)));
  });
  return svg;
}

function rateRow(name, rate) {
  return {name, value: rate.median, min: rate.low, max: rate.high, colour: colour(name),
    text: mpps(rate.median), low: mpps(rate.low), high: mpps(rate.high)};
}

function card(title, ...content) {
  return make("div", {class: "card"}, title ? make("h3", {}, title) : null, ...content);
}

function heading(title, text) {
  page.append(make("h2", {}, title), make("p", {}, text));
}

function ratioRow(name, figure, unit = "") {
  const {median, low: min, high: max} = figure, text = value => value.toFixed(2) + unit;
  return {name, value: median, min, max, colour: "var(--ours)", text: text(median), low: text(min), high: text(max)};
}

/* Bars from 1 to both sides: right is faster than the other build. */
function apart(rows) {
  const wide = 1060, label = 330, high = 28, gap = 7, middle = label + 300;
  const reach = Math.max(.05, ...rows.flatMap(row => [row.max - 1, 1 - row.min]));
  const x = value => middle + (value - 1) / reach * 290;
  const svg = make("svg", {viewBox: `0 0 ${wide} ${rows.length * (high + gap)}`, role: "img"});
  rows.forEach((row, at) => {
    const y = at * (high + gap), centre = y + high / 2, faster = row.value >= 1;
    svg.append(make("g", {tip: row.tip},
      make("rect", {x: 0, y: y - gap / 2, width: wide, height: high + gap, fill: "transparent"}),
      make("text", {x: label - 12, y: centre + 4.5, class: "end"}, row.name),
      make("rect", {x: Math.min(middle, x(row.value)), y: y + 3, width: Math.max(1.5, Math.abs(x(row.value) - middle)),
        height: high - 6, rx: 3, fill: faster ? "var(--good)" : "var(--bad)"}),
      make("line", {x1: x(row.min), x2: x(row.max), y1: centre, y2: centre, stroke: "var(--ink)", "stroke-width": 1.4, opacity: .55}),
      make("text", {x: wide - 130, y: centre + 4.5, class: "end strong"}, `× ${row.value.toFixed(3)}`),
      make("text", {x: wide - 4, y: centre + 4.5, class: "end"}, row.ns)));
  });
  svg.append(make("line", {x1: middle, x2: middle, y1: 0, y2: rows.length * (high + gap), stroke: "var(--faint)"}));
  return svg;
}

/* The median of a figure over the runs; solid: what must be reached, dashed: what is aimed at. */
function course(name, runs) {
  const goal = figures[name], wide = 330, high = 130, left = 48, bottom = 20;
  const points = runs.filter(run => run.figures[name]).map(run => ({...run, ...run.figures[name]}));
  if (points.length < 2 || !goal) return null;
  const goals = [goal.must, goal.aim].filter(mark => mark !== null);
  const all = [...points.map(point => point.median), ...goals];
  const room = (Math.max(...all) - Math.min(...all) || Math.abs(all[0]) || 1) * .12;
  const low = Math.min(...all) - room, top = Math.max(...all) + room;
  const x = at => left + 8 + at / (points.length - 1) * (wide - left - 16);
  const y = value => 6 + (top - value) / (top - low) * (high - bottom - 12);
  const svg = make("svg", {viewBox: `0 0 ${wide} ${high}`, role: "img"});
  for (const [mark, dash] of [[goal.must, ""], [goal.aim, "3 4"]]) {
    if (mark === null) continue;
    svg.append(make("line", {x1: left, x2: wide, y1: y(mark), y2: y(mark), stroke: "var(--good)", "stroke-dasharray": dash}),
      make("text", {x: left - 6, y: y(mark) + 4.5, class: "end faint"}, number(mark)));
  }
  svg.append(make("path", {d: points.map((point, at) => `${at ? "L" : "M"}${x(at).toFixed(1)} ${y(point.median).toFixed(1)}`).join(""),
    fill: "none", stroke: "var(--ours)", "stroke-width": 2, "stroke-linejoin": "round"}));
  points.forEach((point, at) => svg.append(make("circle", {cx: x(at), cy: y(point.median), r: 3.6, fill: "var(--ours)",
    tip: `${point.when.replace("T", " ").replace("Z", " UTC")}\n${point.git || point.version}\n${number(point.median)}, ` +
      `from ${number(point.min)} to ${number(point.max)}`})));
  const last = points[points.length - 1].median, above = y(last) > 24;
  svg.append(make("text", {x: wide - 4, y: y(last) + (above ? -8 : 18), class: "end strong"}, number(last)));
  svg.append(make("text", {x: left, y: high - 2, class: "faint"}, points[0].when.slice(0, 10)),
    make("text", {x: wide, y: high - 2, class: "end faint"}, points[points.length - 1].when.slice(0, 10)));
  const unit = goal.unit === "ratio" ? "" : `, ${goal.unit}`;
  return card(`${goal.title}${unit}`, svg);
}

/* Lines over a logarithmic axis of time: the share of packets in each step of it. */
function histogram(curves, options) {
  const wide = 1060, high = 300, left = 56, bottom = 34, PER_DECADE = options.steps || 24;
  const prepared = curves.map(curve => {
    const bins = new Map(); let all = 0;
    for (const [ns, count] of curve.histogram) {
      const bin = Math.floor(Math.log10(Math.max(1, ns)) * PER_DECADE);
      bins.set(bin, (bins.get(bin) || 0) + count); all += count;
    }
    return {...curve, bins: new Map([...bins].map(([bin, count]) => [bin, count / all]))};
  });
  const floor = 1e-5;
  const shown = prepared.flatMap(curve => [...curve.bins].filter(([, share]) => share > floor).map(([bin]) => bin));
  const first = Math.min(...shown) - 1, last = Math.max(...shown) + 2;
  const x = bin => left + (bin - first) / (last - first) * (wide - left - 8);
  const y = share => (high - bottom) * (1 - Math.log(Math.max(share, floor) / floor) / Math.log(1 / floor)) + 4;
  const svg = make("svg", {viewBox: `0 0 ${wide} ${high}`, role: "img"});
  for (let share = 1; share >= floor * 1.01; share /= 10) {
    svg.append(make("line", {x1: left, x2: wide - 8, y1: y(share), y2: y(share), stroke: "var(--grid)"}));
    svg.append(make("text", {x: left - 10, y: y(share) + 4.5, class: "end faint"}, `${+(share * 100).toPrecision(1)} %`));
  }
  for (let decade = Math.ceil(first / PER_DECADE); decade <= last / PER_DECADE; decade++) {
    for (const step of [1, 2, 5]) {
      const at = (decade + Math.log10(step)) * PER_DECADE;
      if (at > last - 1) continue;
      svg.append(make("line", {x1: x(at), x2: x(at), y1: high - bottom + 4, y2: high - bottom + 9, stroke: "var(--faint)"}));
      svg.append(make("text", {x: x(at), y: high - 8, class: "mid faint"}, duration(step * 10 ** decade)));
    }
  }
  for (const curve of prepared) {
    let line = "", started = false;
    for (let bin = first; bin <= last; bin++) {
      const at = y(curve.bins.get(bin) || 0);
      line += `${started ? "L" : "M"}${x(bin).toFixed(1)} ${at.toFixed(1)}L${x(bin + 1).toFixed(1)} ${at.toFixed(1)}`;
      started = true;
    }
    const base = y(0);
    svg.append(make("path", {d: `${line}L${x(last + 1)} ${base}L${x(first)} ${base}Z`, fill: curve.colour, opacity: .09}));
    svg.append(make("path", {d: line, fill: "none", stroke: curve.colour, "stroke-width": 2, "stroke-linejoin": "round",
      tip: `${curve.name}\n${curve.marks}`}));
  }
  for (const curve of prepared.filter(curve => curve.p99)) {
    const at = Math.log10(curve.p99) * PER_DECADE;
    svg.append(make("line", {x1: x(at), x2: x(at), y1: 4, y2: high - bottom + 4, stroke: curve.colour,
      "stroke-width": 1.3, "stroke-dasharray": "3 4"}));
  }
  const legend = make("div", {class: "legend"}, ...prepared.map(curve => make("span", {},
    make("i", {style: `background:${curve.colour}`}), `${curve.name}: ${curve.marks}`)));
  return make("div", {}, legend, svg);
}

function strip(figure) {
  const wide = 210, high = 26, reach = 2 * (figure.high - figure.low);
  const values = figure.values.filter(value => value >= figure.low - reach && value <= figure.high + reach);
  const marks = [figure.must, figure.aim].filter(mark => mark !== null);
  let low = Math.min(...values, ...marks), top = Math.max(...values, ...marks);
  if (figure.better === "less") low = Math.min(0, low);
  const room = (top - low || 1) * .08;
  const x = value => 8 + (value - low + room) / (top - low + 2 * room) * (wide - 16);
  const svg = make("svg", {viewBox: `0 0 ${wide} ${high}`, class: "strip",
    tip: `${figure.title}\n${number(figure.median)}, all of ${figure.values.length} from ${number(figure.min)} to ${number(figure.max)}`});
  svg.append(make("rect", {x: 8, y: high / 2 - 4, width: wide - 16, height: 8, rx: 4, fill: "var(--track)"}));
  if (figure.must !== null) {
    const less = figure.better === "less", edge = x(figure.must);
    svg.append(make("rect", {x: less ? 8 : edge, y: high / 2 - 4, width: Math.max(0, less ? edge - 8 : wide - 8 - edge),
      height: 8, rx: 4, fill: "var(--good-soft)"}));
    for (const [mark, dash] of [[figure.must, ""], [figure.aim, "2 2"]])
      svg.append(make("line", {x1: x(mark), x2: x(mark), y1: 4, y2: high - 4, stroke: "var(--good)", "stroke-dasharray": dash}));
  }
  const fill = figure.verdict === "short" ? "var(--bad)" : "var(--ours)";
  for (const value of values) svg.append(make("circle", {cx: x(value), cy: high / 2, r: 2.6, fill, opacity: values.length > 20 ? .15 : .4}));
  svg.append(make("circle", {cx: x(figure.median), cy: high / 2, r: 4.6, fill}));
  return svg;
}
