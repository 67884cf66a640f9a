// Loss, metrics, learning rate and speed over the iterations, of all runs that are shown.

import { el, color, hint, remembered, remember } from "./dom.js";
import { Chart, View } from "./chart.js";
import { smooth } from "./axis.js";
import { short, percent, whole } from "./format.js";

const root = document.getElementById("curves");
const view = new View();
const chosen = { smooth: remembered("smooth", 0.6), log: remembered("log", true), epochs: remembered("epochs", false) };

const label = () => (chosen.epochs ? "epoch" : "iteration");
const loss = new Chart(view, "Loss", (v) => short(v, 4), { log: chosen.log, label });
const rate = new Chart(view, "Learning rate", (v) => short(v, 3), { low: 0, label, size: "low" });
const speed = new Chart(view, "Images per second", (v) => whole(v), { low: 0, label, size: "low" });
const metrics = new Map(); // by name
const charts = el("div", { class: "charts" });
const empty = hint("Nothing is logged yet: the first line comes with the first iteration.");

export const runColor = (run) => color("run-" + (run.id % 8));

function control() {
  const slider = el("input", { type: "range", min: 0, max: 0.98, step: 0.02, value: chosen.smooth, oninput: (e) => choose("smooth", Number(e.target.value)) });
  const box = (key, text) => el("label", {}, el("input", { type: "checkbox", checked: chosen[key], onchange: (e) => choose(key, e.target.checked) }), text);
  return el("div", { class: "head" }, el("h2", { text: "Curves" }), el("span", { class: "space" }),
    el("label", {}, "Smoothing", slider), box("log", "Log axis of the loss"), box("epochs", "Epochs"),
    el("button", { type: "button", text: "Show all", title: "Escape in a chart. Drag to zoom.", onclick: () => view.zoom(null, null) }));
}

let last = [];
function choose(key, value) {
  chosen[key] = value;
  remember(key, value);
  if (key === "epochs") { view.low = view.high = view.at = null; }
  draw(last);
}

root.append(control(), empty, charts);

// column is a line of a key of the log.
function column(run, key, of) {
  const lines = run.log.filter((l) => l?.[key] != null);
  return { color: runColor(run), x: lines.map((l) => (chosen.epochs ? l.epoch : l.iteration)), y: lines.map((l) => l[key]), ...of };
}

function training(run, key, name) {
  const line = column(run, key, { name, width: 1.6 });
  if (chosen.smooth > 0) { line.raw = line.y; line.y = smooth(line.y, chosen.smooth); }
  return line;
}

// draw shows some runs. One run is drawn with a colour for each of its lines, several with a
// colour for each run.
export function draw(runs) {
  last = runs;
  const one = runs.length === 1;
  const named = (run, what) => (one ? what : run.label + " " + what);
  const second = (of) => (one ? { ...of, color: color("run-1") } : of);
  loss.options.log = chosen.log;
  loss.set(runs.flatMap((r) => [
    { ...training(r, "loss", named(r, "train")), dash: !one },
    second(column(r, "test_loss", { name: named(r, "test"), dots: true, width: 2.2 })),
    ...(one ? [{ ...column(r, "averaged_test_loss", { name: "test, averaged weights", dots: true, width: 2.2 }), color: color("run-2") }] : []),
  ]));
  const abouts = new Map(runs.flatMap((r) => (r.about?.metrics ?? []).map((m) => [m.name, m])));
  for (const [name, m] of abouts) {
    if (!metrics.has(name)) metrics.set(name, new Chart(view, title(name), m.share ? (v, axis) => percent(v, axis ? (Math.abs(100 * v - Math.round(100 * v)) < 1e-6 ? 0 : 1) : 2) : (v) => short(v, 4), { label }));
    metrics.get(name).set(runs.flatMap((r) => [
      { ...training(r, "train_" + name, named(r, "train")), dash: !one },
      second(column(r, name, { name: named(r, "test"), dots: true, width: 2.2 })),
      ...(one ? [{ ...column(r, "averaged_" + name, { name: "test, averaged weights", dots: true, width: 2.2 }), color: color("run-2") }] : []),
    ]));
  }
  rate.set(runs.map((r) => column(r, "rate", { name: named(r, "") })));
  speed.set(runs.flatMap((r) => [
    column(r, "images_per_second", { name: named(r, "trained") }),
  ]));
  const has = runs.some((r) => r.log.length);
  empty.hidden = has;
  const wanted = has ? [loss, ...[...metrics.values()].filter((c) => c.series.length), rate, speed].map((c) => c.root) : [];
  if (wanted.length !== charts.children.length || wanted.some((c, i) => charts.children[i] !== c)) charts.replaceChildren(...wanted);
}

const title = (name) => name.charAt(0).toUpperCase() + name.slice(1);
