// Elements of the page. Text is always set as text: names come from strangers.

export function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") e.textContent = value;
    else if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (value === true) e.setAttribute(key, "");
    else if (value !== false && value != null) e.setAttribute(key, value);
  }
  e.append(...children.filter((c) => c != null));
  return e;
}

export function svg(tag, attributes = {}, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") e.textContent = value;
    else if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else e.setAttribute(key, value);
  }
  e.append(...children);
  return e;
}

// color is a colour of the style sheet, which knows light and dark.
export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// swatch is a small mark in a colour; style sheets of the page may not be inline, scripts may set
// properties.
export function swatch(of, { dash = false, box = false } = {}) {
  const e = el("span", { class: box ? "swatch box" : "swatch", "aria-hidden": "true" });
  if (box) e.style.background = of;
  else e.style.borderTopColor = of;
  if (dash) e.style.borderTopStyle = "dashed";
  return e;
}

// fit makes a canvas as sharp as the screen, and returns its context and size in CSS pixels.
export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, w, h);
  return { g, w, h };
}

// hint is what a section says that has nothing to show. Words between backquotes are code.
export function hint(text) {
  const p = el("p", { class: "empty" });
  text.split("`").forEach((part, i) => p.append(i % 2 ? el("code", { text: part }) : part));
  return p;
}

export const font = "12px system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";

// remembered is a choice of the user's that stays in the browser, where it can.
export function remembered(key, otherwise) {
  try {
    const text = localStorage.getItem("hubel-" + key);
    return text === null ? otherwise : JSON.parse(text);
  } catch { return otherwise; }
}

export function remember(key, value) {
  try { localStorage.setItem("hubel-" + key, JSON.stringify(value)); } catch { /* private window */ }
}
