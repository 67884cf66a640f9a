// The loss and the accuracy of a training as lines.

const left = 44, right = 44, top = 8, bottom = 26;

export class Curve {
  #canvas; #iterations = 1; #points = []; #tests = [];

  constructor(canvas) {
    this.#canvas = canvas;
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  begin(iterations) {
    this.#iterations = iterations;
    this.#points = [];
    this.#tests = [];
    this.#draw();
  }

  // add adds a demo.Progress. The numbers are smoothed as means that forget.
  add({ iteration, loss, accuracy }) {
    const last = this.#points.at(-1);
    const keep = last ? Math.min(0.9, iteration / (iteration + 9)) : 0;
    this.#points.push({
      iteration,
      loss: last ? keep * last.loss + (1 - keep) * loss : loss,
      accuracy: last ? keep * last.accuracy + (1 - keep) * accuracy : accuracy,
    });
    this.#draw();
  }

  // test adds the share of digits that a test had right.
  test(iteration, accuracy) {
    this.#tests.push({ iteration, accuracy });
    this.#draw();
  }

  #draw() {
    const canvas = this.#canvas, to = canvas.getContext('2d');
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const { width, height } = canvas;
    const highest = Math.max(2.5, ...this.#points.map((p) => p.loss));
    const x = (i) => left + (width - left - right) * i / this.#iterations;
    const y = (share) => top + (height - top - bottom) * (1 - share);
    to.clearRect(0, 0, width, height);
    to.font = '12px system-ui, sans-serif';
    to.strokeStyle = colour('--line');
    to.lineWidth = 1;
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      to.beginPath();
      to.moveTo(left, y(share));
      to.lineTo(width - right, y(share));
      to.stroke();
      to.textBaseline = 'middle';
      to.textAlign = 'right';
      to.fillStyle = colour('--second');
      to.fillText((share * highest).toFixed(1), left - 6, y(share));
      to.textAlign = 'left';
      to.fillStyle = colour('--accent');
      to.fillText(`${100 * share} %`, width - right + 6, y(share));
    }
    to.fillStyle = colour('--quiet');
    to.textBaseline = 'bottom';
    for (const share of [0, 0.5, 1]) {
      to.textAlign = ['left', 'center', 'right'][2 * share];
      to.fillText(`${Math.round(share * this.#iterations)}${share === 1 ? ' iterations' : ''}`, x(share * this.#iterations), height);
    }
    this.#line(this.#points.map((p) => [x(p.iteration), y(p.loss / highest)]), colour('--second'));
    this.#line(this.#points.map((p) => [x(p.iteration), y(p.accuracy)]), colour('--accent'));
    to.fillStyle = colour('--accent');
    for (const t of this.#tests) {
      to.beginPath();
      to.arc(x(t.iteration), y(t.accuracy), 4, 0, 2 * Math.PI);
      to.fill();
    }
  }

  #line(points, colour) {
    const to = this.#canvas.getContext('2d');
    to.strokeStyle = colour;
    to.lineWidth = 2;
    to.lineJoin = 'round';
    to.beginPath();
    points.forEach((p, i) => (i ? to.lineTo(...p) : to.moveTo(...p)));
    to.stroke();
  }
}
