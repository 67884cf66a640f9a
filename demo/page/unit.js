// The explanation of a unit: what it reads, its filter, and its sum.
import { Grid } from './grid.js';

const element = (id) => document.getElementById(id);

// text is a number with three digits.
export function text(x) {
  if (x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)) return x.toExponential(1).replace('-', '−');
  return x.toFixed(Math.abs(x) >= 100 ? 0 : Math.abs(x) >= 10 ? 1 : 3).replace('-', '−');
}

// picture draws numbers, one for each place of the window in each map that the unit reads.
function picture(id, numbers, unit) {
  const height = unit.window.bottom - unit.window.top, width = unit.window.right - unit.window.left;
  const grid = new Grid(element(id), numbers.length / (height * width), height, width, 250);
  grid.draw(numbers);
}

// nothing says that no unit is chosen.
export function nothing() {
  element('unit-text').textContent = 'None is chosen yet.';
  element('unit-parts').hidden = true;
  element('unit-sum').textContent = '';
}

// explain shows a unit at a place of a layer.
export function explain(layers, classes, at, unit) {
  const layer = layers[at.layer], source = layers[layer.source];
  const { field } = unit;
  let place = layer.height * layer.width > 1 ? `map ${at.map}, row ${at.row}, column ${at.column}` : `unit ${at.map}`;
  if (layer.channels === classes.length && layer.height === 1) place = `class ${classes[at.map]}`;
  element('unit-title').textContent = `A unit of ${layer.name}: ${place}`;
  element('unit-text').textContent = field.right - field.left === 28 && field.bottom - field.top === 28
    ? 'It depends on the whole image.'
    : `Its receptive field has ${field.right - field.left}×${field.bottom - field.top} pixels: columns ${field.left} to ${field.right - 1}, rows ${field.top} to ${field.bottom - 1} of the image.`;
  element('unit-parts').hidden = false;
  picture('unit-inputs', unit.inputs, unit);
  const sums = unit.rule === 'sum';
  element('unit-filter').hidden = element('unit-multiplied').hidden = !sums;
  if (sums) {
    picture('unit-weights', unit.weights, unit);
    picture('unit-products', unit.weights.map((w, i) => w * unit.inputs[i]), unit);
  }
  element('unit-sum').textContent = formula(unit, source, classes, at);
}

// formula is the rule with its numbers.
function formula(unit, source, classes, at) {
  const value = text(unit.value);
  switch (unit.rule) {
    case 'max': return `The largest of ${unit.inputs.map(text).join(', ')} is ${value}.`;
    case 'relu': return `max(0, ${text(unit.inputs[0])}) = ${value}`;
    case 'softmax': return `exp(${text(unit.inputs[at.map])}) divided by the sum of exp of all ${unit.inputs.length} scores of ${source.name} = ${value}`;
  }
  const order = unit.sums.map((s, i) => [s, i]).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, 3);
  const products = unit.sums.reduce((a, b) => a + b, 0);
  const maps = unit.sums.length > 1 ? ` Most comes from ${source.height * source.width > 1 ? 'the maps' : 'the units'} ${order.map(([s, i]) => `${i} (${text(s)})`).join(', ')} of ${source.name}.` : '';
  return `The sum of ${unit.weights.length} products, ${text(products)}, and the bias, ${text(unit.bias)}: ${value}.${maps}`;
}
