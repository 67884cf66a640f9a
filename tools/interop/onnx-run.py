"""Runs models that hubel has written in onnxruntime, and compares with what hubel computes.

Usage: onnx-run.py LIST.json, of objects with name, file, inputs and outputs.
"""
import json
import sys

import numpy
import onnx
import onnxruntime

failed = 0
cases = json.load(open(sys.argv[1]))
for case in cases:
    try:
        onnx.checker.check_model(case["file"], full_check=True)
        session = onnxruntime.InferenceSession(case["file"], providers=["CPUExecutionProvider"])
        inputs = {k: numpy.array(v["values"], "float32").reshape(v["shape"]) for k, v in case["inputs"].items()}
        inputs = {i.name: inputs[i.name] for i in session.get_inputs()}
        for got, want in zip(session.run(None, inputs), case["outputs"]):
            want = numpy.array(want, "float32")
            worst = numpy.abs(got.reshape(-1) - want).max()
            if not worst <= 1e-5 * numpy.abs(want).max() + 1e-7:
                raise ValueError(f"it differs by {worst} of {numpy.abs(want).max()}")
    except Exception as e:
        failed += 1
        print(f"{case['name']}: {e}")
print(f"onnxruntime {onnxruntime.__version__}: {len(cases) - failed} of {len(cases)} models compute the same")
sys.exit(failed > 0)
