// The memory plan: which value has which part of the arena in which step of a pass.

import { el, fit, hint, color, font, swatch } from "./dom.js";
import { bytes, whole } from "./format.js";
import { ticks } from "./axis.js";

const root = document.getElementById("memory");
const kinds = ["input", "activation", "gradient", "saved", "scratch"];
const sizes = el("p", { class: "muted small" });
const legend = el("div", { class: "chart" });
const canvas = el("canvas", { tabindex: 0, role: "img", "aria-label": "Spans of memory" });
const text = el("p", { class: "muted small", role: "status" });
const empty = hint("The memory plan is not known: the run was trained on a device that this program does not know, or its folder has no checkpoint.");
root.append(el("div", { class: "head" }, el("h2", { text: "Memory plan" })), empty, sizes, legend, canvas, text);

let plan = null, at = null;
const left = 66, right = 8, top = 6, bottom = 30;

export function draw(run) {
  const p = run?.plan;
  empty.hidden = Boolean(p);
  sizes.hidden = legend.hidden = canvas.hidden = text.hidden = !p;
  if (!p) { plan = null; return; }
  if (p !== plan) {
    plan = p;
    at = null;
    const shared = p.unshared ? Math.round(100 * (1 - p.arena / p.unshared)) : 0;
    sizes.textContent = `A pass of ${whole(p.batch)} samples: values ${bytes(p.arena)}` + (shared > 0 ? ` (${bytes(p.unshared)} unless they shared memory: ${shared} % saved)` : "") +
      `, weights ${bytes(p.weights)}, their gradients ${bytes(p.gradients)}, optimiser ${bytes(p.optimiser)}.`;
    say();
  }
  const used = kinds.filter((k) => p.spans.some((s) => s.kind === k));
  legend.replaceChildren(el("div", { class: "legend" }, ...used.map((k) => el("span", {}, swatch(color("kind-" + k), { box: true }), k))));
  paint();
}

const usual = "Left to right are the steps, forward and then backward; bottom to top is the memory. Point at a span, or use the arrow keys.";

function say() {
  if (at === null) { text.textContent = usual; return; }
  const s = plan.spans[at], step = (i) => (i < 0 ? "the upload" : i >= plan.steps.length ? "the end" : plan.steps[i].layer + (plan.steps[i].backward ? ", backward" : ""));
  text.textContent = `${s.name} (${s.kind}): ${bytes(s.bytes)} at ${bytes(s.offset)}, from ${step(s.first)} to ${step(s.last)}.`;
}

let X, Y;
function paint() {
  const { g, w, h } = fit(canvas);
  if (!w || !plan) return;
  const n = plan.steps.length, height = Math.max(1, plan.arena);
  X = (step) => left + ((step + 1) / (n + 1)) * (w - left - right);
  Y = (offset) => h - bottom - (offset / height) * (h - top - bottom);
  g.font = font;
  g.fillStyle = color("soft");
  g.fillRect(left, top, w - left - right, h - top - bottom);
  const colors = Object.fromEntries(kinds.map((k) => [k, color("kind-" + k)]));
  g.lineWidth = 1;
  plan.spans.forEach((s, i) => {
    const x = X(s.first), y = Y(s.offset + s.bytes), W = X(Math.min(n, s.last + 1)) - x, H = Y(s.offset) - y;
    g.fillStyle = colors[s.kind];
    g.globalAlpha = i === at ? 1 : 0.78;
    g.fillRect(x, y, Math.max(1, W - (W > 4 ? 1 : 0)), Math.max(0.75, H - (H > 4 ? 1 : 0)));
    g.globalAlpha = 1;
    if (i === at) { g.strokeStyle = color("ink"); g.lineWidth = 2; g.strokeRect(x, y, W, H); }
    if (H > 15 && g.measureText(s.name).width < W - 10) {
      g.fillStyle = "#ffffff";
      g.textAlign = "left";
      g.textBaseline = "middle";
      g.fillText(s.name, x + 5, y + H / 2);
    }
  });
  axes(g, w, h, n, height);
}

function axes(g, w, h, n, height) {
  g.fillStyle = color("muted");
  g.textAlign = "right";
  g.textBaseline = "middle";
  const unit = 1024 ** Math.max(0, Math.floor(Math.log(height) / Math.log(1024)));
  for (const v of ticks(0, height / unit, 5)) g.fillText(bytes(v * unit).replace(/\.0+(?=\D)/, ""), left - 6, Math.max(8, Y(v * unit)));
  const back = plan.steps.findIndex((s) => s.backward);
  g.textBaseline = "alphabetic";
  g.textAlign = "center";
  if (back > 0) {
    g.strokeStyle = color("ink");
    g.setLineDash([3, 3]);
    g.beginPath();
    g.moveTo(X(back), top);
    g.lineTo(X(back), h - bottom + 6);
    g.stroke();
    g.setLineDash([]);
    g.fillText("forward", (X(-1) + X(back)) / 2, h - 10);
    g.fillText("backward", (X(back) + X(n)) / 2, h - 10);
  } else {
    g.fillText("steps", (X(-1) + X(n)) / 2, h - 10);
  }
}

function pick(e) {
  if (!plan || !X) return;
  let found = null;
  const n = plan.steps.length;
  plan.spans.forEach((s, i) => {
    if (e.offsetX >= X(s.first) && e.offsetX <= X(Math.min(n, s.last + 1)) && e.offsetY <= Y(s.offset) && e.offsetY >= Y(s.offset + s.bytes)) found = i;
  });
  choose(found);
}

function choose(i) {
  if (i === at) return;
  at = i;
  say();
  paint();
}

canvas.addEventListener("pointermove", pick);
canvas.addEventListener("pointerdown", pick);
canvas.addEventListener("pointerleave", (e) => { if (e.pointerType === "mouse") choose(null); });
canvas.addEventListener("keydown", (e) => {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
  if (!by || !plan) return;
  e.preventDefault();
  choose(at === null ? 0 : (at + by + plan.spans.length) % plan.spans.length);
});
new ResizeObserver(paint).observe(canvas);
