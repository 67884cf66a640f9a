// Loads files, and calls hubel in workers.

// load fetches a file of this folder, and unpacks it where it is still compressed: some servers
// send .gz files as what is in them.
export async function load(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: the server says ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

// Engine is a worker with a hubel of its own.
export class Engine {
  #worker = new Worker('worker.js', { type: 'module' });
  #waiting = new Map();
  #next = 0;

  constructor(module) {
    this.#worker.onmessage = ({ data: { id, result, error } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result); else reject(new Error(error));
    };
    this.#worker.onerror = (e) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(e.message || 'the worker cannot be started'));
      this.#waiting.clear();
    };
    this.#worker.postMessage({ module });
  }

  // call calls a function of hubel: those of demo/wasm.
  call(name, ...args) {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, name, args });
    });
  }

  // ask is call of a function whose result is JSON.
  async ask(name, ...args) { return JSON.parse(await this.call(name, ...args)); }
}
