"""Times other programs on a network in ONNX, inference alone.

    onnx_net.py onnxruntime|openvino NETWORK.onnx MODEL BATCH RUNS THREADS > peer.json

The result is a report as bench writes it. Both compute in float32.
"""
import json
import statistics
import sys
import time

import numpy as np

program, path, model = sys.argv[1:4]
batch, runs, threads = map(int, sys.argv[4:7])


def onnxruntime():
    import onnxruntime as ort

    o = ort.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = threads, 1
    s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    name, shape = s.get_inputs()[0].name, s.get_inputs()[0].shape[1:]
    return ort.__version__, shape, lambda x: s.run(None, {name: x})


def openvino():
    import openvino as ov

    core = ov.Core()
    net = core.read_model(path)
    shape = [d.get_length() for d in list(net.inputs[0].partial_shape)[1:]]
    net.reshape([batch, *shape])
    compiled = core.compile_model(net, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    return ov.__version__.split("-")[0], shape, lambda x: request.infer({0: x})


version, shape, infer = {"onnxruntime": onnxruntime, "openvino": openvino}[program]()
x = (np.random.default_rng(1).random((batch, *shape), dtype=np.float32) * 2 - 1)
for _ in range(2):
    infer(x)
samples = []
for _ in range(runs):
    start = time.perf_counter()
    infer(x)
    samples.append(time.perf_counter() - start)
quarters = statistics.quantiles(samples, method="inclusive") if runs > 1 else samples * 3
json.dump({"machine": {"cpu": "", "cores": 0, "os": "", "arch": "", "go": "", "path": "", "roofs": []}, "results": [{
    "kind": "net", "model": model, "batch": batch, "name": "step", "pass": "inference", "device": f"{program}-{version}",
    "threads": threads, "seconds": quarters[1], "spread": (quarters[2] - quarters[0]) / 2 / quarters[1],
    "samples": samples, "images": batch}]}, sys.stdout, indent=1)
