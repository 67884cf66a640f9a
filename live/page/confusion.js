// The confusion matrix. A cell is chosen with the pointer or the arrow keys.

import { el, fit, color, font } from "./dom.js";
import { table } from "./palette.js";
import { whole, percent } from "./format.js";

export class Confusion {
  // chosen is called with the class and the answer of a cell.
  constructor(chosen) {
    this.canvas = el("canvas", { id: "confusion", tabindex: 0, role: "application", "aria-label": "Confusion matrix: arrow keys choose a cell" });
    this.text = el("p", { class: "muted small", role: "status" });
    this.root = el("div", {}, this.canvas, this.text);
    this.tell = chosen;
    this.at = null; // [class, answer]
    this.canvas.addEventListener("pointermove", (e) => this.say(this.cell(e)));
    this.canvas.addEventListener("pointerleave", () => this.say(this.at));
    this.canvas.addEventListener("click", (e) => this.choose(this.cell(e)));
    this.canvas.addEventListener("keydown", (e) => this.key(e));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  set(answers) {
    if (this.answers?.classes.length !== answers.classes.length) this.at = null;
    this.answers = answers;
    this.counts = new Map(answers.cells.map((c) => [c.class * answers.classes.length + c.answer, c]));
    this.ofClass = new Array(answers.classes.length).fill(0);
    for (const c of answers.cells) this.ofClass[c.class] += c.count;
    this.draw();
    this.say(this.at);
  }

  find([of, answer]) { return this.counts.get(of * this.answers.classes.length + answer); }

  cell(e) {
    const n = this.answers.classes.length;
    const c = Math.floor((e.offsetX - this.left) / this.side), r = Math.floor((e.offsetY - this.top) / this.side);
    return c >= 0 && r >= 0 && c < n && r < n ? [r, c] : null;
  }

  choose(cell) {
    if (!cell) return;
    this.at = cell;
    this.draw();
    this.say(cell);
    this.tell(cell);
  }

  key(e) {
    const n = this.answers.classes.length, step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[e.key];
    if (!step) return;
    e.preventDefault();
    const [r, c] = this.at ?? [0, 0];
    this.choose(this.at ? [Math.max(0, Math.min(n - 1, r + step[0])), Math.max(0, Math.min(n - 1, c + step[1]))] : [0, 0]);
  }

  say(cell) {
    if (!cell) { this.text.textContent = "Rows are the classes of the samples, columns the answers. Choose a cell to see its pictures."; return; }
    const [of, answer] = cell, count = this.find(cell)?.count ?? 0, all = this.ofClass[of] || 1;
    this.text.textContent = `${whole(count)} of ${whole(this.ofClass[of])} samples of ${this.answers.classes[of]} (${percent(count / all, 1)}) were answered ${this.answers.classes[answer]}.`;
  }

  draw() {
    if (!this.answers) return;
    const n = this.answers.classes.length, names = n <= 40;
    const width = this.canvas.parentElement.clientWidth;
    if (!width) return;
    const g0 = this.canvas.getContext("2d");
    g0.font = font;
    const longest = names ? Math.min(120, Math.max(...this.answers.classes.map((c) => g0.measureText(c).width))) : 0;
    this.left = names ? Math.ceil(longest) + 10 : 2;
    const slant = names && longest > 22;
    this.top = names ? (slant ? Math.ceil(longest * 0.72) + 16 : 22) : 2;
    const spare = slant ? Math.ceil(longest * 0.5) : 0;
    this.side = Math.max(n > 200 ? 1 : 2, (Math.min(width, 560) - this.left - spare - 4) / n);
    this.canvas.style.height = Math.ceil(this.top + n * this.side + 4) + "px";
    const { g } = fit(this.canvas);
    g.font = font;
    this.paint(g, n);
    if (names) this.names(g, n, slant);
    if (this.at) {
      g.strokeStyle = color("run-1");
      g.lineWidth = 2.5;
      g.strokeRect(this.left + this.at[1] * this.side, this.top + this.at[0] * this.side, this.side, this.side);
    }
  }

  // paint colours a cell by its share of the class; the square root shows few mistakes, too.
  paint(g, n) {
    const s = this.side, gap = s > 12 ? 1 : 0;
    g.fillStyle = color("soft");
    g.fillRect(this.left, this.top, n * s, n * s);
    g.textAlign = "center";
    g.textBaseline = "middle";
    for (const c of this.answers.cells) {
      const share = c.count / (this.ofClass[c.class] || 1);
      const i = 3 * Math.round(255 * (0.12 + 0.88 * Math.sqrt(share)));
      g.fillStyle = `rgb(${table[i]},${table[i + 1]},${table[i + 2]})`;
      g.fillRect(this.left + c.answer * s, this.top + c.class * s, s - gap, s - gap);
      if (s >= 26) {
        g.fillStyle = share > 0.3 ? "#10131a" : "#ffffff";
        g.fillText(String(c.count), this.left + (c.answer + 0.5) * s, this.top + (c.class + 0.5) * s + 1);
      }
    }
  }

  names(g, n, slant) {
    g.fillStyle = color("muted");
    const clip = (t) => { let x = t; while (x.length > 1 && g.measureText(x).width > 120) x = x.slice(0, -2) + "…"; return x; };
    const every = Math.ceil(13 / this.side);
    this.answers.classes.forEach((name, i) => {
      if (i % every) return;
      const t = clip(name);
      g.textAlign = "right";
      g.textBaseline = "middle";
      g.fillText(t, this.left - 6, this.top + (i + 0.5) * this.side);
      g.save();
      g.translate(this.left + (i + 0.5) * this.side, this.top - 7);
      if (slant) { g.rotate(-Math.PI / 4); g.textAlign = "left"; } else { g.textAlign = "center"; g.textBaseline = "alphabetic"; }
      g.fillText(t, 0, 0);
      g.restore();
    });
  }
}
