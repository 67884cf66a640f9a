// Places for the layers of a network: rows by depth, with few crossings (Sugiyama, Tagawa and
// Toda 1981).

// layout takes { name, in: [names of nodes] } in order, and returns where each is, rows from the
// top and columns that need not be whole, and the ways of the edges through the rows.
export function layout(nodes) {
  const at = new Map(nodes.map((n, i) => [n.name, i]));
  const depth = [];
  const edges = [];
  nodes.forEach((n, i) => {
    let d = 0;
    for (const name of n.in) {
      const from = at.get(name);
      if (from === undefined || from >= i) continue;
      edges.push([from, i]);
      d = Math.max(d, depth[from] + 1);
    }
    depth.push(d);
  });
  // An input stands just above what reads it first.
  nodes.forEach((n, i) => {
    if (n.in.length) return;
    const readers = edges.filter((e) => e[0] === i).map((e) => depth[e[1]]);
    if (readers.length) depth[i] = Math.max(0, Math.min(...readers) - 1);
  });
  const rows = [];
  const put = (item, row) => { (rows[row] ??= []).push(item); item.row = row; };
  const items = nodes.map((n, i) => ({ node: i, up: [], down: [] }));
  items.forEach((item, i) => put(item, depth[i]));
  const ways = edges.map(([a, b]) => {
    const way = [items[a]];
    for (let r = depth[a] + 1; r < depth[b]; r++) {
      const bend = { node: -1, up: [], down: [] };
      put(bend, r);
      way.push(bend);
    }
    way.push(items[b]);
    for (let k = 1; k < way.length; k++) { way[k - 1].down.push(way[k]); way[k].up.push(way[k - 1]); }
    return { from: a, to: b, way };
  });
  for (let r = 0; r < rows.length; r++) rows[r] ??= [];
  rows.forEach((row) => row.forEach((x, k) => { x.x = k; }));
  for (let sweep = 0; sweep < 8; sweep++) {
    const down = sweep % 2 === 0;
    const order = down ? rows : [...rows].reverse();
    for (const row of order) {
      row.forEach((x) => { const near = down ? x.up : x.down; x.wish = near.length ? near.reduce((s, y) => s + y.x, 0) / near.length : x.x; });
      row.sort((p, q) => p.wish - q.wish);
      row.forEach((x, k) => { x.x = k; });
    }
  }
  place(rows);
  return { items, ways, rows: rows.length };
}

// place moves the items of each row towards what they are joined with, a column apart; one
// that only leads an edge past takes less.
function place(rows) {
  const width = (p, q) => (p.node < 0 && q.node < 0 ? 0.16 : p.node < 0 || q.node < 0 ? 0.62 : 1);
  for (const row of rows) row.forEach((x, k) => { x.x = k ? row[k - 1].x + width(row[k - 1], x) : 0; });
  const center = (row) => { const m = (row[0].x + row[row.length - 1].x) / 2; row.forEach((x) => { x.x -= m; }); };
  for (const row of rows) if (row.length) center(row);
  for (let sweep = 0; sweep < 12; sweep++) {
    for (const row of sweep % 2 ? [...rows].reverse() : rows) {
      const wish = row.map((x) => {
        const near = sweep % 2 ? x.down : x.up;
        return near.length ? near.reduce((s, y) => s + y.x, 0) / near.length : x.x;
      });
      // From the left and from the right; the mean keeps the distances.
      const a = [], b = [];
      for (let k = 0; k < row.length; k++) a[k] = k ? Math.max(wish[k], a[k - 1] + width(row[k - 1], row[k])) : wish[k];
      for (let k = row.length - 1; k >= 0; k--) b[k] = k < row.length - 1 ? Math.min(wish[k], b[k + 1] - width(row[k], row[k + 1])) : wish[k];
      row.forEach((x, k) => { x.x = (a[k] + b[k]) / 2; });
    }
  }
}
