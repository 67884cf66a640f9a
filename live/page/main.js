// The page: what the stream of events changes is drawn again, where it can be seen.

import { el, swatch } from "./dom.js";
import { Stream } from "./stream.js";
import { allowed, command } from "./control.js";
import * as now from "./now.js";
import * as curves from "./curves.js";
import * as filters from "./filters.js";
import * as histograms from "./histograms.js";
import * as mistakes from "./mistakes.js";
import * as network from "./network.js";
import * as memory from "./memory.js";
import * as settings from "./settings.js";

let selected = 0; // the run that sections of one run show
const hidden = new Set(); // runs that the curves leave out
let mayControl = false;
let trouble = ""; // of the last button

const run = () => stream.runs[selected];
const visible = () => stream.runs.filter((r) => !hidden.has(r.id));

// What is drawn, of which kinds of news, in which section.
const parts = [
  { kinds: ["progress", "log", "about", "status"], at: "now", draw: () => now.draw(run()) },
  { kinds: ["log", "about"], at: "curves", draw: () => curves.draw(visible()) },
  { kinds: ["filters", "graph"], at: "filters", draw: () => filters.draw(run()) },
  { kinds: ["monitor"], at: "layers", draw: () => histograms.draw(run()) },
  { kinds: ["answers"], at: "mistakes", draw: () => mistakes.draw(run()) },
  { kinds: ["graph"], at: "network", draw: () => network.draw(run()) },
  { kinds: ["plan"], at: "memory", draw: () => memory.draw(run()) },
  { kinds: ["about"], at: "settings", draw: () => settings.draw(stream.runs) },
  { kinds: ["machine", "about", "saved", "notices"], at: "machine", draw: () => settings.drawMachine(run()) },
].map((p) => ({ ...p, due: true, seen: false }));

// Sections out of sight are drawn when they come into it.
const sight = new IntersectionObserver((entries) => {
  for (const e of entries) {
    const part = parts.find((p) => p.at === e.target.id);
    part.seen = e.isIntersecting;
    if (part.seen && part.due) paint(part);
  }
}, { rootMargin: "200px" });
for (const p of parts) sight.observe(document.getElementById(p.at));

function paint(part) {
  part.due = false;
  part.draw();
}

function changed(kinds) {
  const all = kinds.has("all");
  if (all) {
    selected = Math.min(selected, Math.max(0, stream.runs.length - 1));
    label();
  }
  if (all || kinds.has("about")) chips();
  if (all || ["progress", "status", "about", "link"].some((k) => kinds.has(k))) header();
  for (const p of parts) {
    if (!all && !p.kinds.some((k) => kinds.has(k))) continue;
    p.due = true;
    if (p.seen) paint(p);
  }
}

function header() {
  now.header(run(), stream.connected, mayControl);
  if (trouble) document.getElementById("link").textContent = trouble;
}

// label gives runs short names: without what all of them begin with.
function label() {
  const names = stream.runs.map((r) => r.name.replace(/[/\\]+$/, "").split(/[/\\]/));
  let common = 0;
  while (names.length && names.every((n) => n.length > common + 1 && n[common] === names[0][common])) common++;
  stream.runs.forEach((r, i) => { r.label = names[i].slice(common).join("/") || r.name; });
}

// chips choose the run of the sections and which runs the curves have.
function chips() {
  const root = document.getElementById("runs");
  if (stream.runs.length < 2) { root.replaceChildren(); return; }
  root.replaceChildren(...stream.runs.map((r) => el("span", { class: "chip", "aria-pressed": r.id === selected },
    el("input", { type: "checkbox", checked: !hidden.has(r.id), "aria-label": `Curves of ${r.label}`, onchange: (e) => { if (e.target.checked) hidden.delete(r.id); else hidden.add(r.id); changed(new Set(["log"])); } }),
    swatch(curves.runColor(r)),
    el("button", { class: "plain", type: "button", text: r.label, "aria-pressed": String(r.id === selected), onclick: () => { selected = r.id; changed(new Set(["all"])); } }))));
}

async function press(what) {
  const button = document.getElementById(what);
  button.disabled = true;
  trouble = await command(run(), what);
  header();
}

document.getElementById("save").addEventListener("click", () => press("save"));
document.getElementById("stop").addEventListener("click", () => { if (confirm("Stop the run? It is saved and can be resumed.")) press("stop"); });

// A change between light and dark draws everything again.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const p of parts) { p.due = true; if (p.seen) paint(p); } });

const stream = new Stream(changed);
allowed().then((yes) => { mayControl = yes; header(); });
