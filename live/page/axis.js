// Axes: where ticks are, and what stands at them.

// ticks are round numbers between two limits, about so many.
export function ticks(low, high, about) {
  const step = nice((high - low) / Math.max(1, about));
  const list = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) list.push(Number((k * step).toPrecision(12)));
  return list;
}

function nice(step) {
  if (!(step > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(step));
  for (const m of [1, 2, 5, 10]) if (m * power >= step * 0.999) return m * power;
  return 10 * power;
}

// logTicks are powers of ten between two limits, with 2 and 5 where there are few.
export function logTicks(low, high) {
  const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
  const factors = to - from > 3 ? [1] : to - from > 1 ? [1, 3] : [1, 2, 5];
  const list = [];
  for (let p = from; p <= to; p++) {
    for (const f of factors) {
      const v = Number((f * 10 ** p).toPrecision(3));
      if (v >= low && v <= high) list.push(v);
    }
  }
  return list;
}

// smooth is an exponential mean, without the pull of its beginning.
export function smooth(values, share) {
  if (share <= 0) return values;
  let sum = 0, weight = 0;
  return values.map((v) => {
    if (!Number.isFinite(v)) return v;
    sum = share * sum + (1 - share) * v;
    weight = share * weight + (1 - share);
    return sum / weight;
  });
}

// nearest is the index of the number nearest to x in a rising list.
export function nearest(list, x) {
  let a = 0, b = list.length - 1;
  while (b - a > 1) {
    const m = (a + b) >> 1;
    if (list[m] <= x) a = m; else b = m;
  }
  return b >= 0 && Math.abs(list[b] - x) < Math.abs(list[a] - x) ? b : a;
}
