// The confusion matrix with the pictures behind a cell, and the worst mistakes.

import { el, hint } from "./dom.js";
import { Confusion } from "./confusion.js";
import { percent, whole } from "./format.js";

const root = document.getElementById("mistakes");
const empty = el("div");
const title = el("h3");
const back = el("button", { type: "button", class: "plain", text: "Worst mistakes", hidden: true, onclick: () => { matrix.at = null; matrix.draw(); matrix.say(null); pictures(); } });
const grid = el("div", { class: "pictures", tabindex: 0, role: "group", "aria-label": "Pictures" });
const after = el("span", { class: "muted small" });
const matrix = new Confusion(() => pictures());
const split = el("div", { class: "split" }, matrix.root, el("div", {}, title, " ", back, grid));
root.append(el("div", { class: "head" }, el("h2", { text: "Mistakes" }), after), empty, split);

let run = null, shown = "";

export function draw(of) {
  run = of;
  const a = run?.answers;
  split.hidden = !a;
  empty.hidden = Boolean(a);
  after.textContent = a ? `the test after iteration ${whole(a.iteration)}, ${whole(a.samples)} samples` : "";
  if (!a) {
    empty.replaceChildren(hint("Nothing is known of the answers yet: they come with a test, at the end of an epoch, of a run of `train -live` or `train -monitor` that tells classes apart."));
    return;
  }
  matrix.set(a);
  pictures();
}

function pictures() {
  const a = run.answers, cell = matrix.at;
  const list = cell ? matrix.find(cell)?.samples ?? [] : a.worst ?? [];
  const key = [run.id, a.iteration, cell].join();
  if (key === shown) return;
  shown = key;
  back.hidden = !cell;
  if (!cell) title.textContent = list.length ? "Worst mistakes" : "No mistakes";
  else if (cell[0] === cell[1]) title.textContent = `Right, but the least sure: ${a.classes[cell[0]]}`;
  else title.textContent = `${a.classes[cell[0]]} taken for ${a.classes[cell[1]]}`;
  grid.replaceChildren(...list.map((s) => figure(a, s)));
  if (cell && !list.length) grid.append(hint("There is none."));
}

function figure(a, s) {
  const right = s.class === s.answer;
  const says = `${a.classes[s.answer]} (${percent(s.probability, 0)})`;
  const frame = el("div", { class: "frame" });
  const picture = el("img", { loading: "lazy", alt: `sample ${s.sample}: ${a.classes[s.class]}, answered ${says}`, src: `/api/runs/${run.id}/pictures/${s.sample}` });
  picture.addEventListener("load", () => { if (picture.naturalWidth >= 96) picture.classList.add("smooth"); });
  picture.addEventListener("error", async () => {
    picture.remove();
    let why = "no picture";
    try { why = (await (await fetch(picture.src)).json()).error; } catch { /* the program has ended */ }
    frame.append(el("span", { class: "muted small", text: "no picture" }));
    frame.title = why;
  });
  frame.append(picture);
  return el("figure", { title: s.name || `sample ${s.sample}` }, frame, el("figcaption", {},
    el("div", { class: right ? "" : "wrong", text: says }),
    el("div", { class: "muted", text: right ? `sample ${s.sample}` : `is ${a.classes[s.class]} (${percent(s.of_class, 0)})` })));
}
