// Trains the network in a worker of its own.
import { Engine, load } from './engine.js';
import { Grid } from './grid.js';
import { Curve } from './curve.js';

const element = (id) => document.getElementById(id);
const testEvery = 100, testSome = 500, testAtOnce = 100;
const filters = 'conv1';

export class Training {
  #module; #weights; #engine = null; #counts = null; #stopped = false; #running = false;
  #curve = new Curve(element('curve'));
  #grid = null;

  // module is the compiled hubel, weights a weights file with the network, use is called with the
  // trained weights file, or null for the first one.
  constructor(module, weights, use) {
    this.#module = module;
    this.#weights = weights;
    element('train').addEventListener('click', () => this.#run());
    element('stop').addEventListener('click', () => { this.#stopped = true; });
    element('use').addEventListener('click', async () => {
      await use(await this.#engine.call('file'));
      element('back').disabled = false;
    });
    element('back').addEventListener('click', async () => {
      await use(null);
      element('back').disabled = true;
    });
  }

  async #run() {
    if (this.#running) return;
    const settings = ['iterations', 'batch', 'rate'].map(element);
    if (!settings.every((input) => input.reportValidity())) return;
    this.#running = true;
    this.#stopped = false;
    element('train').disabled = element('use').disabled = true;
    element('stop').disabled = false;
    element('progress').dataset.state = 'running';
    try {
      await this.#train(...settings.map((input) => input.valueAsNumber));
      element('progress').dataset.state = 'done';
      element('use').disabled = false;
    } catch (e) {
      this.#say(`The training failed: ${e.message}`);
      element('progress').dataset.state = 'failed';
    } finally {
      this.#running = false;
      element('train').disabled = false;
      element('stop').disabled = true;
    }
  }

  async #train(iterations, batch, rate) {
    if (!this.#engine) {
      this.#say('Loading the digits …');
      const digits = await load('digits.bin.gz');
      const engine = new Engine(this.#module);
      await engine.call('open', this.#weights);
      this.#counts = await engine.ask('digits', digits);
      this.#engine = engine;
    }
    await this.#engine.call('train', iterations, batch, rate, 1);
    element('trained').hidden = false;
    this.#curve.begin(iterations);
    const began = performance.now();
    let testing = 0, done = 0;
    while (done < iterations && !this.#stopped) {
      const p = await this.#engine.ask('step');
      done = p.iteration;
      this.#curve.add(p);
      const perSecond = 1000 * batch * done / (performance.now() - began - testing);
      this.#say(`${done} of ${iterations} iterations, loss ${p.loss.toFixed(3)}, rate ${p.rate.toFixed(4)}, ${perSecond.toFixed(0)} images/s`);
      if (done % 10 === 0 || done === 1) await this.#filters();
      if (done % testEvery === 0 && done < iterations) {
        const before = performance.now();
        this.#curve.test(done, await this.#test(testSome));
        testing += performance.now() - before;
      }
    }
    const seconds = (performance.now() - began) / 1000;
    await this.#filters();
    this.#say('Testing …');
    const right = await this.#test(this.#counts.test);
    this.#curve.test(done, right);
    this.#say(`${done} iterations in ${seconds.toFixed(0)} s. ${(100 * right).toFixed(1)} % of ${this.#counts.test.toLocaleString('en')} test digits are right.`);
  }

  // test is the share of the first digits of the test set that are right.
  async #test(n) {
    let right = 0;
    n = Math.min(n, this.#counts.test);
    for (let i = 0; i < n; i += testAtOnce) right += await this.#engine.call('check', i, Math.min(n, i + testAtOnce));
    return right / n;
  }

  async #filters() {
    const weights = await this.#engine.call('filters', filters);
    this.#grid ??= new Grid(element('filters'), weights.length / 25, 5, 5, 330);
    this.#grid.draw(weights);
  }

  #say(text) { element('progress').textContent = text; }
}
