// Maps of numbers as a grid of grey pictures.

const gap = 2;
const gapColour = '#b8cce4'; // no grey, so that no number looks like it

// Grid draws maps of height x width numbers on a canvas, each number zoom pixels wide.
export class Grid {
  constructor(canvas, maps, height, width, target = 640) {
    Object.assign(this, { canvas, maps, height, width });
    this.columns = maps <= 10 ? maps : maps <= 20 ? 10 : maps <= 100 ? 17 : 50;
    this.zoom = Math.max(1, Math.min(24, Math.floor((target / this.columns - gap) / width)));
    this.stepX = width * this.zoom + gap;
    this.stepY = height * this.zoom + gap;
    canvas.width = this.columns * this.stepX + gap;
    canvas.height = Math.ceil(maps / this.columns) * this.stepY + gap;
  }

  // draw draws the numbers of all maps: black is -largest, white is largest. Without one it is
  // the largest magnitude.
  draw(values, largest = 0) {
    this.values = values;
    if (!largest) for (const v of values) largest = Math.max(largest, Math.abs(v));
    this.picture ??= new OffscreenCanvas(this.canvas.width, this.canvas.height);
    const { maps, height, width, zoom } = this;
    const to = this.picture.getContext('2d');
    to.fillStyle = gapColour;
    to.fillRect(0, 0, this.picture.width, this.picture.height);
    to.imageSmoothingEnabled = false;
    const small = new OffscreenCanvas(width, height);
    const on = small.getContext('2d');
    for (let m = 0; m < maps; m++) {
      const image = new ImageData(width, height);
      for (let i = 0; i < width * height; i++) {
        const level = largest ? 127.5 + 127.5 * values[m * width * height + i] / largest : 127.5;
        image.data.set([level, level, level, 255], 4 * i);
      }
      on.putImageData(image, 0, 0);
      to.drawImage(small, ...this.#corner(m), width * zoom, height * zoom);
    }
    this.mark();
  }

  // mark shows the picture with outlines: {map, left, top, right, bottom} in units; a map of -1
  // stands for all.
  mark(marks = []) {
    const { canvas, zoom } = this;
    const to = canvas.getContext('2d');
    to.clearRect(0, 0, canvas.width, canvas.height);
    if (this.picture) to.drawImage(this.picture, 0, 0);
    for (const { map, left, top, right, bottom, colour } of marks) {
      for (let m = map < 0 ? 0 : map; m < (map < 0 ? this.maps : map + 1); m++) {
        const [x, y] = this.#corner(m);
        to.lineWidth = 2;
        to.strokeStyle = colour;
        to.strokeRect(x + left * zoom, y + top * zoom, (right - left) * zoom, (bottom - top) * zoom);
      }
    }
  }

  // corner is the left upper one of a map.
  #corner(map) { return [gap + (map % this.columns) * this.stepX, gap + Math.floor(map / this.columns) * this.stepY]; }

  // unit is the one at a point of the page: {map, row, column}, or null between maps.
  unit(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const x = (clientX - box.left) * this.canvas.width / box.width - gap, y = (clientY - box.top) * this.canvas.height / box.height - gap;
    const column = Math.floor(x % this.stepX / this.zoom), row = Math.floor(y % this.stepY / this.zoom);
    const map = Math.floor(y / this.stepY) * this.columns + Math.floor(x / this.stepX);
    const inside = x >= 0 && y >= 0 && column < this.width && row < this.height && map < this.maps && x < this.columns * this.stepX;
    return inside ? { map, row, column } : null;
  }

  // moved is the unit beside another one, dx to the right and dy below, over the borders of maps.
  moved({ map, row, column }, dx, dy) {
    const rows = Math.ceil(this.maps / this.columns);
    const x = Math.min(this.columns * this.width - 1, Math.max(0, (map % this.columns) * this.width + column + dx));
    const y = Math.min(rows * this.height - 1, Math.max(0, Math.floor(map / this.columns) * this.height + row + dy));
    const to = Math.floor(y / this.height) * this.columns + Math.floor(x / this.width);
    return to < this.maps ? { map: to, row: y % this.height, column: x % this.width } : { map, row, column };
  }
}
