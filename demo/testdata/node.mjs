// Calls what demo/wasm offers, as the page's worker does, and writes the results into the folder, in JSON:
//
//     node node.mjs wasm_exec.js FOLDER
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [support, folder] = process.argv.slice(2);
await import(pathToFileURL(support));
const file = (name) => new Uint8Array(readFileSync(`${folder}/${name}`));

const go = new globalThis.Go();
const { instance } = await WebAssembly.instantiate(file('hubel.wasm'), go.importObject);
go.run(instance);
const { hubel } = globalThis;

const errors = [];
const call = (name, ...args) => {
  const result = hubel[name](...args);
  if (result && result.error) {
    errors.push(result.error);
    return null;
  }
  return result;
};

call('draw', new Uint8Array(100), 10); // before there are weights
const open = JSON.parse(call('open', file('weights')));
const values = [...call('draw', file('drawing'), 280)];
const unit = JSON.parse(call('explain', 3, 7, 2, 5));
call('explain', 1, 99, 0, 0);
call('digits', new Uint8Array(3));
const digits = JSON.parse(call('digits', file('digits')));
const digit = [...call('digit', 3)];
call('train', 3, 16, 0.01, 1);
const steps = [1, 2, 3].map(() => JSON.parse(call('step')));
const right = call('check', 0, 20);
const filters = call('filters', 'conv1').length;
const trained = JSON.parse(call('open', call('file')));
call('explain');
writeFileSync(`${folder}/result`, JSON.stringify({ open, values, unit, digits, digit, steps, right, filters, trained, errors }));
process.exit(0); // hubel waits for calls for ever
