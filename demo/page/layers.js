// The maps of all layers, and which unit is looked at.
import { Grid } from './grid.js';

const names = { conv: 'convolution', 'max-pool': 'maxima of windows', dense: 'dense layer', relu: 'max(0, x)', softmax: 'probabilities' };

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Layers {
  #grids; #layers; #chosen = null; #kept = null; #pointed;

  // layers are those of Engine's open, seen is the canvas of the image. pointed is called with
  // the unit to explain: {layer, map, row, column}, or null for none.
  constructor(root, seen, layers, pointed) {
    this.#layers = layers;
    this.#pointed = pointed;
    this.#grids = layers.map((layer, i) => {
      if (i === 0) return new Grid(seen, 1, layer.height, layer.width, 28 * 6 + 4);
      const size = layer.height * layer.width > 1 ? `${layer.channels} maps of ${layer.height}×${layer.width}` : `${layer.channels} numbers`;
      const title = document.createElement('h3');
      const small = document.createElement('small');
      small.textContent = `${names[layer.type] ?? layer.type}, ${size}`;
      title.append(`${layer.name} `, small);
      const canvas = document.createElement('canvas');
      canvas.id = `layer-${layer.name}`;
      canvas.tabIndex = 0;
      canvas.setAttribute('role', 'application');
      canvas.setAttribute('aria-label', `${layer.name}: ${size}. Arrow keys choose a unit.`);
      root.append(title, canvas);
      const grid = new Grid(canvas, layer.channels, layer.height, layer.width);
      canvas.addEventListener('pointermove', (e) => this.#point(i, grid.unit(e.clientX, e.clientY)));
      canvas.addEventListener('pointerleave', () => this.#choose(this.#kept));
      canvas.addEventListener('click', (e) => this.#keep(i, grid.unit(e.clientX, e.clientY)));
      canvas.addEventListener('focus', () => { if (canvas.matches(':focus-visible')) this.#keep(i, this.#kept?.layer === i ? this.#kept : { map: 0, row: 0, column: 0 }); });
      canvas.addEventListener('keydown', (e) => {
        const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
        if (!move) return;
        e.preventDefault();
        this.#keep(i, grid.moved(this.#kept?.layer === i ? this.#kept : { map: 0, row: 0, column: 0 }, ...move));
      });
      return grid;
    });
  }

  // show shows the numbers of all layers. Those of the image are from 0 on.
  show(values) {
    this.#layers.forEach((layer, i) => {
      const numbers = values.subarray(layer.offset, layer.offset + layer.channels * layer.height * layer.width);
      this.#grids[i].draw(numbers);
    });
    this.#pointed(this.#chosen);
  }

  // mark outlines a unit, what it reads, and the pixels that it depends on.
  mark(at, unit) {
    const accent = colourOf('--accent'), second = colourOf('--second');
    const marks = this.#layers.map(() => []);
    if (at) {
      marks[at.layer].push({ map: at.map, left: at.column, top: at.row, right: at.column + 1, bottom: at.row + 1, colour: accent });
      const source = this.#layers[at.layer].source;
      const all = unit.inputs.length > (unit.window.right - unit.window.left) * (unit.window.bottom - unit.window.top);
      if (source > 0) marks[source].push({ map: all ? -1 : unit.first, ...unit.window, colour: second });
      marks[0].push({ map: 0, ...unit.field, colour: second });
    }
    this.#grids.forEach((grid, i) => grid.mark(marks[i]));
  }

  #point(layer, unit) { this.#choose(unit ? { layer, ...unit } : this.#kept); }

  #keep(layer, unit) {
    if (!unit) return;
    this.#kept = { ...unit, layer };
    this.#choose(this.#kept);
  }

  #choose(at) {
    this.#chosen = at;
    this.#pointed(at);
  }
}
