// The filters of the first convolution, as they change.

import { el, hint, color } from "./dom.js";
import { whole } from "./format.js";

const root = document.getElementById("filters");
const canvas = el("canvas", { role: "img" });
const slider = el("input", { type: "range", min: 0, step: 1, "aria-label": "Iteration of the filters" });
const text = el("span", { class: "muted small" });
const play = el("button", { type: "button", text: "Play" });
const note = el("p", { class: "muted small" });
const scrub = el("div", { class: "scrub" }, play, slider, text);
const empty = el("div");
const head = el("div", { class: "head" }, el("h2", { text: "First-layer filters" }));
root.append(head, empty, canvas, scrub, note);

let lines = [], at = -1, timer = 0; // at −1 follows the newest

slider.addEventListener("input", () => { at = Number(slider.value) === lines.length - 1 ? -1 : Number(slider.value); show(); });
play.addEventListener("click", () => {
  if (timer) { stop(); return; }
  at = 0;
  play.textContent = "Pause";
  timer = setInterval(() => { if (++at >= lines.length - 1) { at = -1; stop(); } show(); }, Math.max(40, 4000 / lines.length));
  show();
});

function stop() { clearInterval(timer); timer = 0; play.textContent = "Play"; }

export function draw(run) {
  const now = run?.filters ?? [];
  if (now[0] !== lines[0]) { at = -1; stop(); }
  lines = now;
  const has = lines.length > 0;
  empty.hidden = has;
  canvas.hidden = scrub.hidden = note.hidden = !has;
  if (!has) {
    const conv = run?.graph?.nodes?.some((n) => n.type === "conv");
    empty.replaceChildren(hint(run?.graph && !conv ? "The network has no convolution." : "The run keeps no filters: `train -live` and `train -monitor` do."));
    return;
  }
  slider.max = lines.length - 1;
  show();
}

function show() {
  const i = at < 0 ? lines.length - 1 : Math.min(at, lines.length - 1);
  slider.value = i;
  const l = lines[i];
  text.textContent = "iteration " + whole(l.iteration);
  note.textContent = `${l.layer}: ${l.filters < l.of ? l.filters + " of " + l.of : l.of} filters of ${l.height}×${l.width}. ` +
    (l.channels === 3 ? "Colours are its three channels" : "Grey is zero, white the largest weight of the filter") + "; each filter has its own scale.";
  canvas.setAttribute("aria-label", note.textContent);
  paint(l);
}

// best is a number of columns near to what is wished for that leaves few places empty.
function best(k, wish) {
  let found = 1, cost = Infinity;
  for (let c = 1; c <= k; c++) {
    const of = Math.abs(Math.log(c / wish)) + (2 * (Math.ceil(k / c) * c - k)) / k;
    if (of < cost) { cost = of; found = c; }
  }
  return found;
}

// paint draws the filters as a grid of about the shape of the panel.
function paint(l) {
  const bin = Uint8Array.from(atob(l.levels), (c) => c.charCodeAt(0));
  const { filters: k, channels: c, height: h, width: w } = l;
  const room = Math.max(200, Math.min(root.clientWidth - 34, 640));
  const columns = best(k, Math.sqrt(k * 1.6 * h / w));
  const rows = Math.ceil(k / columns), gap = 1;
  const zoom = Math.max(1, Math.floor((room - columns * 4) / (columns * w)));
  const space = Math.max(gap, Math.min(4, zoom));
  const W = columns * w * zoom + (columns - 1) * space, H = rows * h * zoom + (rows - 1) * space;
  canvas.width = W;
  canvas.height = H;
  const g = canvas.getContext("2d");
  const tile = document.createElement("canvas");
  tile.width = w; tile.height = h;
  const t = tile.getContext("2d"), image = t.createImageData(w, h);
  g.imageSmoothingEnabled = false;
  g.fillStyle = color("panel");
  g.fillRect(0, 0, W, H);
  for (let i = 0; i < k; i++) {
    for (let p = 0; p < h * w; p++) {
      for (let ch = 0; ch < 3; ch++) image.data[4 * p + ch] = bin[i * c * h * w + (c === 3 ? ch : 0) * h * w + p];
      image.data[4 * p + 3] = 255;
    }
    t.putImageData(image, 0, 0);
    g.drawImage(tile, (i % columns) * (w * zoom + space), Math.floor(i / columns) * (h * zoom + space), w * zoom, h * zoom);
  }
}
