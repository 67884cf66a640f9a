// The page: a digit is drawn, the network looks at it, and all that it computes is shown.
import { Engine, load } from './engine.js';
import { Layers } from './layers.js';
import { Pad } from './pad.js';
import { Training } from './training.js';
import { explain, nothing } from './unit.js';

const element = (id) => document.getElementById(id);
const pixels = 28 * 28;

// oneAtATime is a function that runs work with the newest argument that it was called with: calls
// that come while it is busy replace each other.
function oneAtATime(work) {
  let busy = false, next = null;
  return async (...args) => {
    next = args;
    if (busy) return;
    busy = true;
    try {
      while (next) {
        const now = next;
        next = null;
        await work(...now);
      }
    } catch (e) {
      failed(e);
    } finally {
      busy = false;
    }
  };
}

function failed(e) {
  const status = element('status');
  status.hidden = false;
  status.className = 'failed';
  status.textContent = `It does not work here: ${e.message}`;
  document.documentElement.dataset.state = 'failed';
}

async function start() {
  if (location.protocol === 'file:') throw new Error('the folder has to come from a web server, such as that of "python3 -m http.server"');
  const [program, weights, text] = await Promise.all([load('hubel.wasm.gz'), load('lenet.safetensors.gz'), load('about.json')]);
  const about = JSON.parse(new TextDecoder().decode(text));
  const module = await WebAssembly.compile(program);
  const engine = new Engine(module);
  let network = await engine.ask('open', weights);
  const counted = (n) => n.toLocaleString('en');
  element('about').textContent = `It has ${counted(network.parameters)} parameters, and knows ${(100 * about.accuracy).toFixed(2)} % of the ${counted(about.tested)} test digits of MNIST.`;
  element('digits').textContent = `${counted(about.train)} of the 60,000 training digits of MNIST, in 16 shades of grey; it is tested on ${counted(about.test)} of the 10,000 test digits`;
  showClasses(network.classes);

  const point = oneAtATime(async (at) => {
    if (!at) {
      nothing();
      layers.mark(null);
      return;
    }
    const unit = await engine.ask('explain', at.layer, at.map, at.row, at.column);
    explain(network.layers, network.classes, at, unit);
    layers.mark(at, unit);
  });
  const layers = new Layers(element('layers'), element('seen'), network.layers, point);

  let example = null; // pixels of a digit of MNIST, while nothing is drawn
  const look = oneAtATime(async () => {
    const ink = pad.pixels();
    const values = example ? await engine.call('look', example) : await engine.call('draw', ink, pad.width);
    const empty = !example && !ink.some((v) => v > 0);
    layers.show(values.subarray(pixels));
    showAnswer(network.classes, values.subarray(values.length - network.classes.length), empty);
  });
  const pad = new Pad(element('pad'), () => { example = null; look(); });

  element('clear').addEventListener('click', () => pad.clear());
  let digits = null;
  element('example').addEventListener('click', async () => {
    try {
      digits ??= load('digits.bin.gz').then((file) => engine.ask('digits', file));
      const { test } = await digits;
      const digit = await engine.call('digit', Math.floor(Math.random() * test));
      example = Uint8Array.from(digit.subarray(0, pixels));
      pad.put(example);
      look();
    } catch (e) {
      failed(e);
    }
  });

  new Training(module, weights, async (file) => {
    network = await engine.ask('open', file ?? weights);
    look();
  });
  element('status').hidden = true;
  element('main').hidden = false;
  look();
  document.documentElement.dataset.state = 'ready';
}

function showClasses(classes) {
  for (const name of classes) {
    const item = document.createElement('li');
    const bar = document.createElement('span'), fill = document.createElement('span'), percent = document.createElement('span');
    bar.className = 'bar';
    percent.className = 'percent';
    bar.append(fill);
    item.append(name, bar, percent);
    element('classes').append(item);
  }
}

function showAnswer(classes, probabilities, empty) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  element('digit').textContent = empty ? '–' : classes[best];
  element('sure').textContent = empty ? '' : `${(100 * probabilities[best]).toFixed(1)} %`;
  [...element('classes').children].forEach((item, k) => {
    item.classList.toggle('best', !empty && k === best);
    item.querySelector('.bar span').style.width = empty ? '0' : `${100 * probabilities[k]}%`;
    item.querySelector('.percent').textContent = empty ? '' : `${(100 * probabilities[k]).toFixed(1)} %`;
  });
}

start().catch(failed);
