"""Writes small MAT files into a folder: version 5 by SciPy, and version 7.3 by h5py, as MATLAB has it.

python3 small.py FOLDER
"""
import os, sys
import h5py, numpy as np, scipy.io

folder = sys.argv[1]
single = np.arange(24, dtype="f4").reshape(2, 3, 4) / 8
values = {
    "a": single, "b": np.array([[1.5, -2.0]]), "c": "some text", "d": np.array([[1, 0]], bool),
    "e": np.array([[-7], [300]], "i2"), "f": np.array([["x", single[0]]], object),
    "g": {"p": 1.0, "q": {"r": "deep"}}, "h": np.zeros((0, 3)),
    "i": np.array([[(1.0, "one"), (2.0, "two")]], dtype=[("n", "O"), ("s", "O")]),
    "z": np.array([[1 + 2j]]),
}
for name, compressed in [("v5", False), ("v5_compressed", True)]:
    scipy.io.savemat(os.path.join(folder, name + ".mat"), values, do_compression=compressed)

path = os.path.join(folder, "v73.mat")
with h5py.File(path, "w", userblock_size=512) as f:
    refs = f.create_group("#refs#")

    def put(where, name, value, inside=False):
        if isinstance(value, dict):
            g = where.create_group(name)
            g.attrs["MATLAB_class"] = np.bytes_(b"struct")
            for k, v in value.items():
                put(g, k, v)
            return g
        if isinstance(value, (float, str)):
            value = np.array([[value]]) if isinstance(value, float) else np.array([[ord(c) for c in value]], "u2")
            kind = "double" if value.dtype == "f8" else "char"
        else:
            kind = {"f4": "single", "f8": "double", "b1": "logical", "i2": "int16", "O": "cell", "c16": "double"}.get(value.dtype.str[1:], "")
        if value.dtype.names:
            g = where.create_group(name)
            g.attrs["MATLAB_class"] = np.bytes_(b"struct")
            for k in value.dtype.names:
                g[k] = references(value[k])
            return g
        if value.dtype == object:
            d = where.create_dataset(name, data=references(value))
        elif value.size == 0:
            d = where.create_dataset(name, data=np.array(value.shape, "u8"))
            d.attrs["MATLAB_empty"] = np.uint8(1)
        else:
            d = where.create_dataset(name, data=(value.astype("u1") if kind == "logical" else value).T)
        d.attrs["MATLAB_class"] = np.bytes_(kind.encode())
        return d

    def references(value):
        flat = [put(refs, f"r{len(refs)}", v).ref for v in value.T.ravel()]
        return np.array(flat, dtype=h5py.ref_dtype).reshape(value.T.shape)

    for name, value in values.items():
        put(f, name, value)
with open(path, "r+b") as out:
    out.write(b"MATLAB 7.3 MAT-file, made for a test".ljust(124) + b"\x00\x02IM")
