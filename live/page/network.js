// The network as a graph, with shapes. A layer that is chosen shows its options.

import { el, svg, hint } from "./dom.js";
import { layout } from "./layout.js";
import { shape, whole, count } from "./format.js";

const root = document.getElementById("network");
const total = el("span", { class: "muted small" });
const box = el("div", { class: "scroller", tabindex: 0, role: "group", "aria-label": "Layers" });
const details = el("div", { class: "details", role: "status" });
const empty = hint("The network is not known: the folder of the run has no checkpoint.");
root.append(el("div", { class: "head" }, el("h2", { text: "Network" }), total), empty, box, details);

const H = 40, DY = 62, gap = 18, most = 1500;
let shown = null, nodes = [], drawnAt = 0;

export function draw(run) {
  const g = run?.graph;
  empty.hidden = Boolean(g);
  box.hidden = details.hidden = !g;
  if (!g || g === shown) return;
  shown = g;
  nodes = [...(g.inputs ?? []).map((v) => ({ name: v.name, type: "input", in: [], out: [v] })), ...(g.nodes ?? [])];
  const owner = new Map(nodes.flatMap((n) => n.out.map((v) => [v.name, n.name])));
  for (const n of nodes) n.parents = [...new Set(n.in.map((name) => owner.get(name)).filter(Boolean))];
  const parameters = nodes.reduce((s, n) => s + (n.parameters ?? 0), 0), flops = nodes.reduce((s, n) => s + (n.flops ?? 0), 0);
  total.textContent = `${whole(g.nodes?.length ?? 0)} layers, ${whole(parameters)} parameters, ${count(flops)}FLOPs a sample`;
  details.replaceChildren(el("span", { class: "muted", text: "Choose a layer for its options." }));
  show();
}

function show() {
  drawnAt = box.clientWidth;
  box.replaceChildren(nodes.length <= most ? picture() : hint("The network has too many layers to be drawn."));
  box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;
}

new ResizeObserver(() => { if (nodes.length && Math.abs(box.clientWidth - drawnAt) > 24) show(); }).observe(box);

function picture() {
  const { items, ways, rows } = layout(nodes.map((n) => ({ name: n.name, in: n.parents })));
  let low = Infinity, high = -Infinity;
  for (const i of items) { low = Math.min(low, i.x); high = Math.max(high, i.x); }
  for (const w of ways) for (const i of w.way) { low = Math.min(low, i.x); high = Math.max(high, i.x); }
  const room = (box.clientWidth || 600) - 16;
  const W = Math.max(92, Math.min(168, room / (high - low + 1) - gap)), DX = W + gap;
  const X = (i) => (i.x - low) * DX + W / 2 + 8, Y = (i) => i.row * DY + 8;
  const width = (high - low) * DX + W + 16, height = rows * DY - (DY - H) + 16;
  const s = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group" });
  s.append(svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0.8 L7 4 L0 7.2 z", class: "head" }))));
  for (const { way } of ways) {
    let d = "";
    for (let k = 0; k + 1 < way.length; k++) {
      const x0 = X(way[k]), y0 = Y(way[k]) + (k ? H / 2 : H), x1 = X(way[k + 1]), y1 = Y(way[k + 1]) + (k + 2 < way.length ? H / 2 : 0);
      const m = (y0 + y1) / 2;
      d += (k ? "" : `M${x0} ${y0}`) + (x0 === x1 ? `L${x1} ${y1}` : `C${x0} ${m} ${x1} ${m} ${x1} ${y1}`);
    }
    s.append(svg("path", { class: "edge", d, "marker-end": "url(#arrow)" }));
  }
  nodes.forEach((n, i) => s.append(card(n, X(items[i]) - W / 2, Y(items[i]), W)));
  return s;
}

function card(n, x, y, W) {
  const cut = (t, m) => (t.length > m ? t.slice(0, Math.floor(m) - 1) + "…" : t);
  const what = n.type === "input" ? "input" : n.type;
  const same = n.name.startsWith(what);
  const node = svg("g", { class: "node" + (n.parameters ? " weights" : ""), transform: `translate(${x} ${y})`, tabindex: 0, role: "button", "aria-label": `${n.name}, ${what}, ${n.out.map((v) => shape(v.shape)).join(" and ")}` },
    svg("rect", { width: W, height: H, rx: 7 }),
    svg("text", { x: 10, y: 17, text: cut(n.name, (W - 16) / 7) }),
    svg("text", { x: 10, y: 32, class: "sub", text: cut((same ? "" : what + "  ") + n.out.map((v) => shape(v.shape)).join(", "), (W - 16) / 6) }));
  const choose = () => {
    for (const c of box.querySelectorAll(".chosen")) c.classList.remove("chosen");
    node.classList.add("chosen");
    describe(n);
  };
  node.addEventListener("click", choose);
  node.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); choose(); } });
  return node;
}

function describe(n) {
  const parts = [n.out.map((v) => shape(v.shape)).join(" and ")];
  if (n.in.length) parts.push("of " + n.in.join(", "));
  if (n.parameters) parts.push(whole(n.parameters) + " parameters");
  if (n.flops) parts.push(count(n.flops) + "FLOPs");
  details.replaceChildren(el("b", { text: n.name }), ` ${n.type}: ${parts.join("; ")}`, n.options ? el("div", { class: "muted small", text: n.options.slice(0, 600) }) : "");
}
