"""Writes the small data sets of this folder: pip install lmdb h5py numpy pillow.

python3 small.py FOLDER

Sample i has the label i % 3. Its value in channel c, row y and column x is 40*i + 10*c + 5*y + x.
Records have the channels B, G, R, so that channel 0 is blue.
"""
import io, os, shutil, struct, sys, tempfile
import h5py, lmdb, numpy as np
from PIL import Image

folder = sys.argv[1]


def sample(i, channels, height, width):
    c, y, x = np.ogrid[:channels, :height, :width]
    return (40 * i + 10 * c + 5 * y + x) % 251


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def datum(x, label, kind):
    out = b"".join(bytes([8 * (1 + i)]) + varint(n) for i, n in enumerate(x.shape))
    body = b""
    if kind == "bytes":
        body = x.astype(np.uint8).tobytes()
    elif kind == "png":
        file = io.BytesIO()
        Image.fromarray(x[::-1].transpose(1, 2, 0).astype(np.uint8)).save(file, "PNG")
        body = file.getvalue()
    if body:
        out += b"\x22" + varint(len(body)) + body
    out += b"\x28" + varint(label)
    if kind == "floats":
        out += b"".join(b"\x35" + struct.pack("<f", v / 4 - 9) for v in x.ravel())
    if kind == "png":
        out += b"\x38\x01"
    return out


def write(name, kind, *shape):
    with tempfile.TemporaryDirectory() as there:
        with lmdb.open(there, map_size=1 << 24) as env:
            with env.begin(write=True) as t:
                for i in range(6):
                    t.put(b"%08d_some/%d.jpg" % (i, i), datum(sample(i, *shape), i % 3, kind))
            with tempfile.TemporaryDirectory() as copy:
                env.copy(copy, compact=True)
                os.makedirs(os.path.join(folder, name), exist_ok=True)
                shutil.copy(os.path.join(copy, "data.mdb"), os.path.join(folder, name))


write("colour", "bytes", 3, 4, 5)
write("grey", "bytes", 1, 4, 5)
write("encoded", "png", 3, 4, 5)
write("floats", "floats", 5, 4, 5)
all_of = np.stack([sample(i, 3, 4, 5) for i in range(6)])
with h5py.File(os.path.join(folder, "plain.h5"), "w") as f:
    f["data"], f["label"] = all_of[:4].astype(np.float32), np.float32([[0], [1], [2], [0]])
with h5py.File(os.path.join(folder, "packed.h5"), "w") as f:
    f.create_dataset("data", data=all_of[4:].astype(np.float64), compression="gzip", chunks=(1, 3, 4, 5))
    f["label"] = np.int32([1, 2])
