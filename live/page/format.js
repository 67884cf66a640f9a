// Numbers with their units.

const thin = "\u202f";

// whole is a number with thousands apart.
export function whole(x) {
  if (!Number.isFinite(x)) return "–";
  return Math.round(x).toString().replace(/\B(?=(\d{3})+(?!\d))/g, thin);
}

// short is a number of about so many digits.
export function short(x, digits = 4) {
  if (x === 0) return "0";
  if (x == null || !Number.isFinite(x)) return "–";
  const a = Math.abs(x);
  if (a >= 1e5) return a >= 1e6 ? x.toExponential(1) : whole(x);
  if (a < 1e-3) return x.toExponential(Math.max(0, digits - 3)).replace("e-", "e−");
  return Number(x.toPrecision(digits)).toString();
}

export function percent(x, digits = 2) {
  return x == null || !Number.isFinite(x) ? "–" : (100 * x).toFixed(digits) + thin + "%";
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return (i === 0 ? n : n.toFixed(n < 10 ? 2 : 1)) + thin + units[i];
}

// count is a large number with a unit's prefix.
export function count(n) {
  for (const [limit, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= limit) return short(n / limit, 3) + thin + unit;
  }
  return String(n);
}

export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  const s = Math.round(seconds);
  if (s < 60) return s + thin + "s";
  if (s < 3600) return Math.floor(s / 60) + thin + "min " + String(s % 60).padStart(2, "0") + thin + "s";
  return Math.floor(s / 3600) + thin + "h " + String(Math.floor((s % 3600) / 60)).padStart(2, "0") + thin + "min";
}

export const shape = (s) => (s?.length ? s.join("×") : "1"); // a number a sample has none
