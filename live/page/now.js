// What a run is doing now: numbers, the bar at the top, and the buttons.

import { el } from "./dom.js";
import { whole, short, percent, duration, bytes } from "./format.js";

const root = document.getElementById("now");
const words = { waiting: "starting", training: "training", silent: "silent", done: "done", stopped: "stopped", failed: "failed" };

function tile(what, value, note = "", warn = false) {
  return el("div", { class: "tile" }, el("div", { class: "what", text: what }), el("div", { class: "value", text: value }), el("div", { class: warn ? "note warn" : "note", text: note }));
}

// bound says what holds training up: the input, where it is hardly faster than training.
function bound(p) {
  if (!p.input_per_second) return ["", false];
  const input = p.input_per_second < 1.25 * p.images_per_second;
  return [input ? "bound by the input: " + whole(p.input_per_second) + " images/s" : "bound by the device", input];
}

export function draw(run) {
  const p = run?.progress, log = run?.log ?? [];
  if (!p) { root.replaceChildren(); return; }
  const a = run.about ?? {};
  const last = log[log.length - 1];
  const test = log.findLast((l) => l.test_loss != null);
  const epochs = a.per_epoch ? Math.ceil(p.iterations / a.per_epoch) : 0;
  const tiles = [tile("Iteration", whole(p.iteration), "of " + whole(p.iterations))];
  if (epochs) tiles.push(tile("Epoch", whole(p.epoch), "of " + whole(epochs)));
  tiles.push(tile("Training loss", short(last?.loss), "of a batch"));
  tiles.push(tile("Test loss", short(test?.test_loss), test ? "after iteration " + whole(test.iteration) : "no test yet"));
  const m = a.metrics?.[0];
  if (m) {
    const best = log.reduce((b, l) => (l[m.name] != null && (b == null || l[m.name] > b) ? l[m.name] : b), null);
    const write = m.share ? (v) => percent(v) : (v) => short(v);
    tiles.push(tile("Test " + m.name, write(test?.[m.name]), best != null && m.share ? "best " + write(best) : ""));
  }
  tiles.push(tile("Learning rate", short(last?.rate, 3)));
  const [why, warn] = bound(p);
  tiles.push(tile("Images per second", whole(p.images_per_second), why, warn));
  const state = run.status?.state;
  tiles.push(tile("Time left", state === "training" ? duration(p.seconds_left) : "–", p.memory ? bytes(p.memory) + " of memory" : ""));
  root.replaceChildren(...tiles);
}

// header draws the bar at the top.
export function header(run, connected, allowed) {
  const status = document.getElementById("status"), p = run?.progress, s = run?.status;
  const name = run ? (run.about?.network ? run.about.network + " on " + (run.about.data || "data") : run.name) : "hubel";
  document.getElementById("title").textContent = name;
  status.textContent = s ? words[s.state] ?? s.state : "";
  status.className = "pill " + (s?.state ?? "");
  status.title = s?.text ?? "";
  const done = p && p.iterations ? Math.min(1, p.iteration / p.iterations) : 0;
  const meter = document.getElementById("meter");
  meter.setAttribute("aria-valuenow", Math.floor(100 * done));
  meter.firstElementChild.style.width = 100 * done + "%";
  document.getElementById("left").textContent = p && s?.state === "training" ? Math.floor(100 * done) + " %, " + duration(p.seconds_left) + " left" : s?.text ?? "";
  document.title = (p && s?.state === "training" ? Math.floor(100 * done) + " % " : "") + name + " – hubel";
  const over = s && s.state !== "training" && s.state !== "waiting";
  document.getElementById("link").textContent = connected ? "" : over ? "the program has ended" : "not connected, trying again";
  for (const id of ["save", "stop"]) {
    const b = document.getElementById(id);
    b.hidden = !run?.control;
    b.disabled = !allowed || over || !connected;
    b.title = allowed ? (id === "save" ? "Write a checkpoint after this update" : "Save, and end the run; it can be resumed") : "Open the address that the terminal shows, with its token, to use this";
  }
}
