// The area to draw on.

const brush = 11; // radius, in pixels of the drawing
const stride = 10; // of the pen that the arrow keys move

export class Pad {
  #canvas; #ink; #changed; #last = null;
  #pen = { x: 140, y: 140, down: false, shown: false };

  // changed is called with each change.
  constructor(canvas, changed) {
    this.#canvas = canvas;
    this.#changed = changed;
    this.#ink = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    canvas.addEventListener('pointerdown', (e) => {
      canvas.setPointerCapture(e.pointerId);
      this.#pen.shown = false;
      this.#last = null;
      this.#line(this.#at(e));
    });
    canvas.addEventListener('pointermove', (e) => {
      if (!canvas.hasPointerCapture(e.pointerId)) return;
      for (const part of e.getCoalescedEvents?.() ?? [e]) this.#line(this.#at(part));
      if (this.#last === null) this.#line(this.#at(e));
    });
    canvas.addEventListener('pointerup', () => { this.#last = null; });
    canvas.addEventListener('keydown', (e) => this.#key(e));
    canvas.addEventListener('focus', () => { this.#show(); });
    canvas.addEventListener('blur', () => { this.#pen.shown = false; this.#show(); });
    this.#show();
  }

  get width() { return this.#canvas.width; }

  // pixels are rows of the ink, from 0 to 255.
  pixels() {
    const rgba = this.#ink.getImageData(0, 0, this.#canvas.width, this.#canvas.height).data;
    const ink = new Uint8Array(rgba.length / 4);
    for (let i = 0; i < ink.length; i++) ink[i] = rgba[4 * i + 3];
    return ink;
  }

  clear() {
    this.#ink.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#last = null;
    this.#pen.down = false;
    this.#show();
    this.#changed();
  }

  // put shows a digit of 28x28 pixels from 0 to 255 in place of a drawing, which does not count
  // as a change.
  put(digit) {
    const picture = new ImageData(28, 28);
    for (let i = 0; i < 784; i++) picture.data.set([255, 255, 255, digit[i]], 4 * i);
    const small = new OffscreenCanvas(28, 28);
    small.getContext('2d').putImageData(picture, 0, 0);
    this.#ink.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#ink.drawImage(small, 0, 0, this.#canvas.width, this.#canvas.height);
    this.#show();
  }

  #at(e) {
    const box = this.#canvas.getBoundingClientRect();
    return { x: (e.clientX - box.left) * this.#canvas.width / box.width, y: (e.clientY - box.top) * this.#canvas.height / box.height };
  }

  // line draws from the last point to another one.
  #line(to) {
    const from = this.#last ?? to;
    const ink = this.#ink;
    ink.lineWidth = 2 * brush;
    ink.lineCap = 'round';
    ink.strokeStyle = '#fff';
    ink.beginPath();
    ink.moveTo(from.x, from.y);
    ink.lineTo(to.x, to.y);
    ink.stroke();
    this.#last = to;
    this.#show();
    this.#changed();
  }

  #key(e) {
    const pen = this.#pen;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (move) {
      pen.x = Math.min(this.#canvas.width, Math.max(0, pen.x + stride * move[0]));
      pen.y = Math.min(this.#canvas.height, Math.max(0, pen.y + stride * move[1]));
    } else if (e.key === ' ') {
      pen.down = !pen.down;
      this.#last = null;
    } else if (e.key === 'Delete' || e.key === 'Backspace') {
      this.clear();
    } else {
      return;
    }
    e.preventDefault();
    pen.shown = true;
    if (pen.down) this.#line({ x: pen.x, y: pen.y }); else this.#show();
  }

  #show() {
    const canvas = this.#canvas.getContext('2d');
    canvas.fillStyle = '#000';
    canvas.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    canvas.drawImage(this.#ink.canvas, 0, 0);
    if (!this.#pen.shown) return;
    canvas.beginPath();
    canvas.arc(this.#pen.x, this.#pen.y, brush, 0, 2 * Math.PI);
    canvas.lineWidth = 3;
    canvas.strokeStyle = this.#pen.down ? '#ff9d66' : '#6cb0ff';
    canvas.stroke();
  }
}
