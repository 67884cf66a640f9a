// Runs hubel, compiled to WebAssembly, and answers calls of its functions. The first message has
// the compiled module; all others are {id, name, args}.
import './wasm_exec.js';

/* global Go, hubel */

let started;

onmessage = async ({ data }) => {
  if (data.module) {
    const go = new Go();
    started = WebAssembly.instantiate(data.module, go.importObject).then((instance) => { go.run(instance); });
    return;
  }
  const { id, name, args } = data;
  try {
    await started;
    const result = hubel[name](...args);
    if (result && result.error) throw new Error(result.error);
    postMessage({ id, result });
  } catch (e) {
    postMessage({ id, error: e.message });
  }
};
