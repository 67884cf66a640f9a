// Histograms of every layer over time: outputs, their gradients, weights, their gradients. A
// column is an iteration, a row a power of two. The row in the middle is 0, and what is smaller
// than nearly all.

import { el, hint, fit } from "./dom.js";
import { table } from "./palette.js";
import { short, whole } from "./format.js";

const root = document.getElementById("layers");
const what = [["outputs", "Outputs"], ["output_gradients", "Gradients of outputs"], ["weights", "Weights"], ["weight_gradients", "Gradients of weights"]];
const zero = 56, smallest = -40; // as package results has them

const text = el("p", { class: "muted small", role: "status" });
const grid = el("div", { class: "heats" });
const scale = el("span", { class: "scale" }, "few", el("canvas", { width: 90, height: 1 }), "many");
const head = el("div", { class: "head" }, el("h2", { text: "Layers over time" }), el("span", { class: "space" }), scale);
const empty = hint("The run keeps no histograms: `train -live -monitor` looks at every layer 50 times in a run. That costs one more pass each time.");
root.append(head, empty, grid, text);

const g = scale.querySelector("canvas").getContext("2d"), bar = g.createImageData(90, 1);
for (let i = 0; i < 90; i++) bar.data.set([...table.slice(3 * Math.round(i / 89 * 255)).slice(0, 3), 255], 4 * i);
g.putImageData(bar, 0, 0);

const usual = "A column is an iteration. Above the line are positive numbers, below it negative ones; each row is twice as far from 0. Point at a picture for its numbers.";

export function draw(run) {
  const lines = (run?.monitor ?? []).filter((l) => l?.layers);
  empty.hidden = lines.length > 0;
  grid.hidden = text.hidden = scale.hidden = lines.length === 0;
  if (!lines.length) return;
  const top = grid.scrollTop;
  grid.replaceChildren(el("div", { class: "col", text: "" }), ...what.map(([, name]) => el("div", { class: "col", text: name })));
  for (const layer of lines[lines.length - 1].layers.map((l) => l.layer)) {
    grid.append(el("div", { class: "name", text: layer }));
    for (const [key, name] of what) grid.append(cell(lines, layer, key, name));
  }
  grid.scrollTop = top;
  text.textContent = usual;
  for (const c of grid.querySelectorAll("canvas")) c.paint();
}

function cell(lines, layer, key, name) {
  const list = lines.map((l) => [l.iteration, l.layers.find((x) => x.layer === layer)?.[key]]).filter(([, d]) => d?.counts?.length);
  const box = el("div", { class: "cell", "data-what": name });
  if (!list.length) { box.classList.add("none"); return box; }
  const [near, far] = span(list);
  const canvas = el("canvas", { role: "img", tabindex: 0, "aria-label": `${layer}, ${name}: ${describe(list[list.length - 1])}` });
  canvas.paint = () => paint(canvas, list, near, far);
  const tell = (i) => { text.textContent = `${layer}, ${name.toLowerCase()}, iteration ${whole(list[i][0])}: ${describe(list[i])}`; };
  canvas.addEventListener("pointermove", (e) => tell(Math.max(0, Math.min(list.length - 1, Math.floor(e.offsetX / canvas.clientWidth * list.length)))));
  canvas.addEventListener("focus", () => tell(list.length - 1));
  canvas.addEventListener("pointerleave", () => { text.textContent = usual; });
  box.append(canvas);
  return box;
}

function describe([, d]) {
  const edge = (bin) => (bin === zero ? "0" : (bin > zero ? "2^" : "−2^") + (Math.abs(bin - zero) - 1 + smallest));
  return `mean ${short(d.mean, 3)}, deviation ${short(d.deviation, 3)}, norm ${short(d.norm, 3)}, from ${edge(d.first)} to ${edge(d.first + d.counts.length - 1)}` + (d.bad ? `, ${whole(d.bad)} not finite` : "");
}

// span is how far from the middle bins are drawn: from where hardly any number is nearer to 0,
// to the farthest.
function span(list) {
  const of = new Array(zero + 1).fill(0);
  for (const [, d] of list) {
    const all = d.counts.reduce((a, b) => a + b, 0) || 1;
    d.counts.forEach((n, i) => { of[Math.abs(d.first + i - zero)] += n / all; });
  }
  const far = Math.max(3, of.findLastIndex((share) => share > 0));
  const sum = of.slice(1).reduce((a, b) => a + b, 0);
  let near = 1;
  for (let below = 0; near < far - 3 && below + of[near] < 0.01 * sum; near++) below += of[near];
  return [near, far];
}

// paint draws shares of each column; the square root shows small ones too.
function paint(canvas, list, near, far) {
  const half = far - near + 1, rows = 2 * half + 1, image = new ImageData(list.length, rows);
  list.forEach(([, d], x) => {
    const of = new Array(rows).fill(0);
    d.counts.forEach((n, i) => {
      const bin = d.first + i - zero, out = Math.abs(bin) - near + 1;
      of[out < 1 ? half : half - Math.sign(bin) * Math.min(out, half)] += n;
    });
    const most = Math.max(...of) || 1;
    for (let y = 0; y < rows; y++) {
      const i = 3 * Math.round(255 * Math.sqrt(of[y] / most));
      image.data.set([table[i], table[i + 1], table[i + 2], 255], 4 * (y * list.length + x));
    }
  });
  const small = document.createElement("canvas");
  small.width = list.length; small.height = rows;
  small.getContext("2d").putImageData(image, 0, 0);
  const { g, w, h } = fit(canvas);
  g.imageSmoothingEnabled = false;
  g.drawImage(small, 0, 0, w, h);
  g.fillStyle = "rgba(255,255,255,0.55)"; // where 0 is
  g.fillRect(0, Math.round(h / 2), w, 1);
}

new ResizeObserver(() => { for (const c of grid.querySelectorAll("canvas")) c.paint(); }).observe(grid);
