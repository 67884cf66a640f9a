"""Asks serve by Triton's own client: is it ready, what does it serve, and tensors in JSON and in binary.

    triton-client.py HOST:PORT MODEL PICTURE
"""
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(sys.argv[1])
model, picture = sys.argv[2], open(sys.argv[3], "rb").read()
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
metadata = client.get_model_metadata(model)
(given,), wanted = metadata["inputs"], metadata["outputs"]
assert given["datatype"] == "FP32" and given["shape"][0] == -1, given
name, shape = given["name"], [3] + given["shape"][1:]


def ask(x, datatype, binary_in, binary_out, names):
    tensor = triton.InferInput(name, list(x.shape), datatype)
    tensor.set_data_from_numpy(x, binary_data=binary_in)
    outputs = [triton.InferRequestedOutput(n, binary_data=binary_out) for n in names]
    answer = client.infer(model, [tensor], outputs=outputs, request_id="7")
    assert answer.get_response()["id"] == "7"
    return [answer.as_numpy(n) for n in names]


x = np.random.default_rng(1).random(shape, dtype=np.float32)
names = [o["name"] for o in wanted]
first = ask(x, "FP32", True, True, names)
for o, y in zip(wanted, first):
    assert y.dtype == np.float32 and list(y.shape) == [3] + o["shape"][1:] and np.isfinite(y).all(), o
for binary_in in True, False:
    for binary_out in True, False:
        for a, b in zip(first, ask(x, "FP32", binary_in, binary_out, names)):
            assert np.array_equal(a, b), (binary_in, binary_out)
(y,) = ask(np.array([picture, picture], dtype=object), "BYTES", True, True, names[:1])
assert y.shape[0] == 2 and np.array_equal(y[0], y[1])
ask((x * 255).astype(np.uint8), "UINT8", True, True, names[:1])
try:
    client.get_model_metadata("none")
except InferenceServerException as e:
    assert "there is no model none" in str(e), e
else:
    raise AssertionError("a model that is not there has metadata")
print(f"Triton's client reads {names} of {model}")
