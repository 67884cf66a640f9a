"""Writes the node cases of the installed onnx, each as a model and its data, into a folder."""
import os
import sys

import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

collected = collect_testcases(None)
written = 0
for case in collected:
    folder = os.path.join(sys.argv[1], case.name)
    try:
        tensors = []
        for number, (inputs, outputs) in enumerate(case.data_sets):
            for kind, values, infos in (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)):
                for i, value in enumerate(values):
                    if not isinstance(value, onnx.TensorProto):
                        value = numpy_helper.from_array(value, infos[i].name)
                    tensors.append((f"test_data_set_{number}", f"{kind}_{i}.pb", value))
    except Exception:  # sequences and options
        continue
    os.makedirs(folder, exist_ok=True)
    onnx.save(case.model, os.path.join(folder, "model.onnx"))
    for set_name, file, value in tensors:
        os.makedirs(os.path.join(folder, set_name), exist_ok=True)
        with open(os.path.join(folder, set_name, file), "wb") as f:
            f.write(value.SerializeToString())
    written += 1
with open(os.path.join(sys.argv[1], "VERSION"), "w") as f:
    print(onnx.__version__, file=f)
print(f"onnx {onnx.__version__}: {written} of {len(collected)} node cases are written")
