// A chart of lines over one horizontal axis. Charts that share a View are zoomed together:
// dragging chooses a part, a double click or Escape shows all; with the keyboard + and − zoom,
// arrows move.

import { el, fit, color, swatch, font } from "./dom.js";
import { ticks, logTicks, nearest } from "./axis.js";
import { whole } from "./format.js";

// View is the part of the horizontal axis that some charts show, and where the user points.
export class View {
  constructor() { this.low = null; this.high = null; this.at = null; this.charts = []; }
  zoom(low, high) { this.low = low; this.high = high; this.draw(); }
  point(x) { if (x !== this.at) { this.at = x; this.draw(); } }
  draw() { for (const c of this.charts) c.draw(); }
}

const left = 52, right = 10, top = 6, bottom = 22;

export class Chart {
  // format writes a value; options: log, low (a lower limit of
  // the axis), size, and label, which says what the horizontal axis is.
  constructor(view, title, format, options = {}) {
    this.view = view;
    this.format = format;
    this.options = options;
    this.series = [];
    this.legend = el("div", { class: "legend" });
    this.canvas = el("canvas", { tabindex: 0, role: "img", "aria-label": title });
    this.root = el("div", { class: "chart " + (options.size ?? "tall") }, el("h3", { text: title }), this.legend, this.canvas);
    this.title = title;
    view.charts.push(this);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  // set gives the lines: { name, color, x, y, raw (a fainter line behind it), dash, dots }.
  set(series) { this.series = series.filter((s) => s.x.length); this.draw(); }

  // limits are those of the data in the part that is shown.
  limits() {
    let x0 = Infinity, x1 = -Infinity;
    for (const s of this.series) { x0 = Math.min(x0, s.x[0]); x1 = Math.max(x1, s.x[s.x.length - 1]); }
    this.all = [x0, x1];
    if (this.view.low !== null) { x0 = Math.max(x0, this.view.low); x1 = Math.min(x1, this.view.high); }
    if (!(x1 > x0)) { x0 = this.all[0]; x1 = this.all[1] > x0 ? this.all[1] : x0 + 1; }
    let y0 = Infinity, y1 = -Infinity;
    for (const s of this.series) {
      for (const line of [s.y, s.raw ?? []]) {
        for (let i = 0; i < line.length; i++) {
          if (s.x[i] < x0 || s.x[i] > x1 || !Number.isFinite(line[i]) || (this.options.log && line[i] <= 0)) continue;
          y0 = Math.min(y0, line[i]);
          y1 = Math.max(y1, line[i]);
        }
      }
    }
    if (y0 > y1) { y0 = this.options.log ? 0.1 : 0; y1 = 1; }
    if (this.options.low !== undefined) y0 = Math.min(y0, this.options.low);
    if (this.options.log) return [x0, x1, y0 / 1.08, y1 * 1.08];
    const pad = (y1 - y0 || Math.abs(y1) || 1) * 0.04;
    return [x0, x1, this.options.low === y0 ? y0 : y0 - pad, y1 + pad];
  }

  draw() {
    const { g, w, h } = fit(this.canvas);
    if (!w) return;
    g.font = font;
    const [x0, x1, y0, y1] = this.limits();
    const fy = this.options.log ? Math.log : (v) => v;
    const X = (x) => left + ((x - x0) / (x1 - x0)) * (w - left - right);
    const Y = (y) => h - bottom - ((fy(y) - fy(y0)) / (fy(y1) - fy(y0))) * (h - top - bottom);
    this.toX = (px) => x0 + ((px - left) / (w - left - right)) * (x1 - x0);
    this.shown = [x0, x1];
    this.grid(g, w, h, X, Y, x0, x1, y0, y1);
    g.save();
    g.beginPath();
    g.rect(left, 0, w - left - right, h - bottom);
    g.clip();
    for (const s of this.series) if (s.raw) this.line(g, s, s.raw, X, Y, 0.28, 1);
    for (const s of this.series) this.line(g, s, s.y, X, Y, 1, s.width ?? 1.8);
    g.restore();
    if (this.drag) {
      g.fillStyle = color("accent");
      g.globalAlpha = 0.14;
      g.fillRect(Math.min(...this.drag), top, Math.abs(this.drag[1] - this.drag[0]), h - top - bottom);
      g.globalAlpha = 1;
    }
    this.values(g, h, X, Y);
  }

  grid(g, w, h, X, Y, x0, x1, y0, y1) {
    g.strokeStyle = color("line");
    g.fillStyle = color("muted");
    g.lineWidth = 1;
    g.textAlign = "right";
    g.textBaseline = "middle";
    const rows = this.options.log ? logTicks(y0, y1) : ticks(y0, y1, (h - top - bottom) / 38);
    for (const v of rows) {
      const y = Math.round(Y(v)) + 0.5;
      g.beginPath();
      g.moveTo(left, y);
      g.lineTo(w - right, y);
      g.stroke();
      g.fillText(this.format(v, true), left - 7, y);
    }
    g.textBaseline = "alphabetic";
    const columns = ticks(x0, x1, (w - left - right) / 75);
    for (const v of columns) {
      const text = Number.isInteger(v) ? whole(v) : String(v);
      const over = X(v) + g.measureText(text).width / 2 > w;
      g.textAlign = over ? "right" : "center";
      if (X(v) - g.measureText(text).width / 2 > left + 4) g.fillText(text, over ? w : X(v), h - 6);
    }
    g.textAlign = "right";
    g.fillText(this.options.label(), left + 2, h - 6);
  }

  line(g, s, values, X, Y, alpha, width) {
    g.strokeStyle = g.fillStyle = s.color;
    g.globalAlpha = alpha;
    g.lineWidth = width;
    g.lineJoin = "round";
    g.setLineDash(s.dash ? [5, 4] : []);
    g.beginPath();
    let open = false;
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i]) || (this.options.log && values[i] <= 0)) { open = false; continue; }
      if (open) g.lineTo(X(s.x[i]), Y(values[i])); else g.moveTo(X(s.x[i]), Y(values[i]));
      open = true;
    }
    g.stroke();
    g.setLineDash([]);
    if (s.dots && values.length <= 60) {
      for (let i = 0; i < values.length; i++) {
        if (!Number.isFinite(values[i])) continue;
        g.beginPath();
        g.arc(X(s.x[i]), Y(values[i]), 2.8, 0, 7);
        g.fill();
      }
    }
    g.globalAlpha = 1;
  }

  // values writes the legend: each line's value where the user points, or its last one.
  values(g, h, X, Y) {
    const at = this.view.at;
    const entries = this.series.map((s) => {
      const i = at === null ? s.x.length - 1 : nearest(s.x, at);
      const v = (s.raw && at !== null ? s.raw : s.y)[i];
      if (at !== null && Number.isFinite(v) && (!this.options.log || v > 0) && s.x[i] >= this.shown[0] && s.x[i] <= this.shown[1]) {
        g.fillStyle = s.color;
        g.beginPath();
        g.arc(X(s.x[i]), Y(v), 3.5, 0, 7);
        g.fill();
      }
      return el("span", {}, swatch(s.color, { dash: s.dash }), s.name, el("b", { text: this.format(v) }));
    });
    if (at !== null && at >= this.shown[0] && at <= this.shown[1]) {
      g.strokeStyle = color("muted");
      g.globalAlpha = 0.6;
      g.beginPath();
      g.moveTo(Math.round(X(at)) + 0.5, top);
      g.lineTo(Math.round(X(at)) + 0.5, h - bottom);
      g.stroke();
      g.globalAlpha = 1;
      entries.push(el("span", { text: (this.options.label()) + " " + (Number.isInteger(at) ? whole(at) : at.toFixed(2)) }));
    }
    this.legend.replaceChildren(...entries);
    this.canvas.setAttribute("aria-label", this.title + ": " + this.series.map((s) => s.name + " " + this.format(s.y[s.y.length - 1])).join(", "));
  }

  // snap is the place of a point of the data nearest to x.
  snap(x) {
    let best = null;
    for (const s of this.series) {
      const v = s.x[nearest(s.x, x)];
      if (best === null || Math.abs(v - x) < Math.abs(best - x)) best = v;
    }
    return best;
  }

  listen() {
    const c = this.canvas;
    const px = (e) => Math.max(left, Math.min(c.clientWidth - right, e.offsetX));
    c.addEventListener("pointerdown", (e) => {
      if (e.button !== 0 || !this.series.length) return;
      this.drag = [px(e), px(e)];
      c.setPointerCapture(e.pointerId);
    });
    c.addEventListener("pointermove", (e) => {
      if (!this.series.length) return;
      if (this.drag) this.drag[1] = px(e);
      this.view.at = this.snap(this.toX(px(e)));
      this.view.draw();
    });
    const end = (e) => {
      if (!this.drag) return;
      const [a, b] = this.drag.map((p) => this.toX(p)).sort((p, q) => p - q);
      const far = Math.abs(this.drag[1] - this.drag[0]) > 8;
      this.drag = null;
      if (far && e.type === "pointerup") this.view.zoom(a, b); else this.view.draw();
    };
    c.addEventListener("pointerup", end);
    c.addEventListener("pointercancel", end);
    c.addEventListener("pointerleave", () => { if (!this.drag) this.view.point(null); });
    c.addEventListener("dblclick", () => this.view.zoom(null, null));
    c.addEventListener("blur", () => this.view.point(null));
    c.addEventListener("keydown", (e) => this.key(e));
  }

  key(e) {
    if (!this.series.length || e.ctrlKey || e.metaKey || e.altKey) return;
    const [x0, x1] = this.shown, span = x1 - x0, middle = this.view.at ?? (x0 + x1) / 2;
    const longest = this.series.reduce((a, b) => (b.x.length > a.x.length ? b : a));
    const move = (by) => {
      const i = this.view.at === null ? longest.x.length - 1 : nearest(longest.x, this.view.at) + by;
      this.view.point(longest.x[Math.max(0, Math.min(longest.x.length - 1, i))]);
    };
    const step = Math.max(1, Math.round(longest.x.length / 100));
    switch (e.key) {
      case "+": case "=": this.view.zoom(middle - span / 4, middle + span / 4); break;
      case "-": this.view.zoom(Math.max(this.all[0], middle - span), Math.min(this.all[1], middle + span)); break;
      case "0": case "Escape": this.view.at = null; this.view.zoom(null, null); break;
      case "ArrowLeft": move(-step); break;
      case "ArrowRight": move(step); break;
      default: return;
    }
    e.preventDefault();
  }
}
