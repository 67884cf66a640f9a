// What the runs were started with, and how that differs; the machine and the notices of a run.

import { el, hint, remembered, remember, swatch } from "./dom.js";
import { whole } from "./format.js";
import { runColor } from "./curves.js";

const root = document.getElementById("settings");
const only = el("input", { type: "checkbox", checked: remembered("only", true), onchange: () => { remember("only", only.checked); draw(last); } });
const choice = el("label", {}, only, "Only what differs");
const rows = el("div", { class: "rows", tabindex: 0, role: "group", "aria-label": "Settings of the runs" });
root.append(el("div", { class: "head" }, el("h2", { text: "Settings" }), el("span", { class: "space" }), choice), rows);

let last = [];

export function draw(runs) {
  last = runs;
  choice.hidden = runs.length < 2;
  const known = runs.filter((r) => r.about);
  if (!known.length) { rows.replaceChildren(hint("The settings are not known yet.")); return; }
  const names = [...new Set(known.flatMap((r) => (r.about.settings ?? []).map((s) => s.name)))];
  const of = (r, name) => (r.about.settings ?? []).find((s) => s.name === name)?.value;
  const list = names.map((name) => [name, known.map((r) => of(r, name))]).map(([name, values]) => ({ name, values, differs: new Set(values).size > 1 }));
  const shown = known.length > 1 && only.checked ? list.filter((l) => l.differs) : list;
  if (!shown.length) { rows.replaceChildren(hint("The runs have the same settings.")); return; }
  const head = known.length > 1
    ? el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "Setting" }), ...known.map((r) => el("th", { scope: "col" }, swatch(runColor(r)), " ", r.label))))
    : null;
  rows.replaceChildren(el("table", {}, head, el("tbody", {}, ...shown.map((l) =>
    el("tr", { class: l.differs ? "differs" : "" }, el("th", { scope: "row", text: l.name }), ...l.values.map((v) => el("td", { text: v ?? "–" })))))));
}

const machine = document.getElementById("machine");

export function drawMachine(run) {
  const facts = [...(run?.machine ?? [])];
  const a = run?.about;
  if (!facts.length && a?.device) facts.push({ name: "device", value: a.device });
  if (a?.samples) facts.push({ name: "training set", value: whole(a.samples) + " samples" });
  if (a?.tests) facts.push({ name: "test set", value: whole(a.tests) + " samples" });
  if (a?.folder) facts.push({ name: "folder", value: a.folder });
  if (run?.saved) facts.push({ name: "last file", value: `${run.saved.file}, after iteration ${whole(run.saved.iteration)}` });
  const notices = run?.notices ?? [];
  machine.replaceChildren(
    el("div", { class: "head" }, el("h2", { text: "Machine" })),
    facts.length ? el("table", {}, el("tbody", {}, ...facts.map((f) => el("tr", {}, el("th", { scope: "row", text: f.name }), el("td", { text: f.value })))))
      : hint("Nothing is known of the machine."),
    notices.length ? el("ul", { class: "notices", "aria-label": "Notices" }, ...notices.slice(-20).map((n) => el("li", { text: n }))) : "");
}
