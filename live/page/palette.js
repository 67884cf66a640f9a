// Colours of numbers from 0 to 1. Cividis looks the same to people with any kind of colour
// vision (Nuñez, Anderton and Renslow 2018); these are points of it.

const cividis = [[0, 32, 76], [0, 48, 111], [57, 72, 107], [87, 93, 109], [112, 113, 115], [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [253, 231, 55]];

// table has 256 colours as bytes.
export const table = new Uint8Array(256 * 3);
for (let i = 0; i < 256; i++) {
  const x = (i / 255) * (cividis.length - 1), k = Math.min(cividis.length - 2, Math.floor(x)), f = x - k;
  for (let c = 0; c < 3; c++) table[3 * i + c] = Math.round(cividis[k][c] * (1 - f) + cividis[k + 1][c] * f);
}

export function css(x) {
  const i = 3 * Math.max(0, Math.min(255, Math.round(255 * x)));
  return `rgb(${table[i]},${table[i + 1]},${table[i + 2]})`;
}
