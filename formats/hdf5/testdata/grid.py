"""Writes HDF5 files into a folder, and beside each what is in it, as JSON.

python3 grid.py FOLDER writes a grid of types, shapes, layouts and versions.
python3 grid.py FOLDER small writes two small files, which are in testdata.
"""
import itertools, json, math, os, sys
import h5py, numpy as np

rng = np.random.default_rng(1)
folder = sys.argv[1]


def plain(x):
    """A value as JSON has it: numbers that it lacks are strings."""
    x = np.asarray(x)
    if x.dtype.kind in "SUO":
        return [v.decode() if isinstance(v, bytes) else str(v) for v in x.ravel()]
    return [str(v) if isinstance(v, float) and not math.isfinite(v) else v for v in x.ravel().tolist()]


class File:
    def __init__(self, name, **options):
        self.path = os.path.join(folder, name + ".h5")
        self.f = h5py.File(self.path, "w", **options)
        self.nodes = []

    def close(self):
        want = []
        for name in self.nodes:
            node = self.f[name]
            entry = {"path": name, "attributes": {}}
            if isinstance(node, h5py.Dataset):
                data = node.asstr()[()] if h5py.check_string_dtype(node.dtype) else node[()]
                if node.dtype.kind != "O" or h5py.check_string_dtype(node.dtype):
                    entry["shape"], entry["values"] = list(node.shape), plain(data)
            else:
                entry["names"] = sorted(node.keys())
            for key, value in node.attrs.items():
                if not isinstance(value, (h5py.Reference, h5py.Empty)):
                    entry["attributes"][key] = plain(value)
            want.append(entry)
        self.f.close()
        with open(self.path[:-3] + ".json", "w") as out:
            json.dump(want, out)

    def data(self, name, value, **options):
        self.f.create_dataset(name, data=value, **options)
        self.nodes.append(name)


def numbers(shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        x = rng.normal(size=shape).astype(dtype)
        flat = x.reshape(-1)
        for i, v in enumerate([0.0, -0.0, np.inf, -np.inf, np.nan, np.finfo(dtype).tiny / 4, np.finfo(dtype).max]):
            if i < flat.size:
                flat[i] = v
        return x
    info = np.iinfo(dtype)
    x = rng.integers(info.min, min(info.max, 2**63 - 2), size=shape, endpoint=True, dtype=dtype.newbyteorder("=")).astype(dtype)
    return x


def compact(f, name, value):
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(value.shape)
    d = h5py.h5d.create(f.f.id, name.encode(), h5py.h5t.py_create(value.dtype), space, p)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, value)
    f.nodes.append(name)


def common(f, size):
    """What every kind of file holds, with arrays of about so many rows."""
    group = f.f.create_group("group/inner")
    f.nodes += ["/", "group", "group/inner"]
    group.attrs["text"] = "a text"
    group.attrs["bytes"] = np.bytes_(b"fixed")
    group.attrs["numbers"] = np.arange(5, dtype="<i2")
    group.attrs["names"] = np.array(["one", "two", "", "four"], dtype=h5py.string_dtype())
    group.attrs["fixed names"] = np.array([b"one", b"three"])
    group.attrs["pi"] = np.float64(math.pi)
    f.data("scalar", np.float32(2.5))
    f.data("bool", np.array([True, False, True]))
    f.data("enum", np.array([1, 0, 2], "u1"), dtype=h5py.enum_dtype({"a": 0, "b": 1, "c": 2}, "u1"))
    f.data("texts", np.array(["x", "yy", "zzz ü"] * 2, dtype=h5py.string_dtype()))
    f.data("fixed texts", np.array([b"x", b"yy", b"zzz"]))
    f.data("empty", np.zeros((0, 3), "f4"))
    f.data("one", np.array([7], "i4"))
    f.f["soft"] = h5py.SoftLink("/group/inner")
    f.nodes.append("soft")
    compact(f, "compact", numbers((2, 3), "<f4"))
    f.data("deep", numbers((size, 3, 2), "<f4"), chunks=(2, 2, 2), compression="gzip", shuffle=True, fletcher32=True)
    f.data("odd", numbers((size, 5), ">i2"), chunks=(3, 2), maxshape=(None, 5))
    d = f.f.create_dataset("holes", (size, 4), "<i4", chunks=(2, 3), fillvalue=-3)
    d[1:2, 1:2] = 9
    f.nodes.append("holes")
    f.f.create_dataset("unwritten", (3, 2), "<f8", fillvalue=1.5)
    f.nodes.append("unwritten")


def small():
    for name, options in [("old", dict(libver="earliest", userblock_size=512)), ("new", dict(libver="latest"))]:
        f = File(name, **options)
        common(f, 4)
        for i in range(9 if name == "new" else 2):
            f.f["group"].attrs[f"a{i}"] = i
            f.f["group"].create_group(f"g{i}")
        if name == "new":
            f.data("both", numbers((3, 3), "<i4"), chunks=(2, 2), maxshape=(None, None))
        f.close()


def grid():
    versions = ["earliest", "v108", "v110", "latest"]
    for version in versions:
        f = File("common_" + version, libver=version)
        common(f, 40)
        f.close()

        f = File("types_" + version, libver=(version, "latest"))
        kinds = [a + b for a in "<>" for b in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]]
        for kind in kinds:
            f.data("plain_" + kind.replace("<", "l").replace(">", "b"), numbers((3, 7), kind))
            f.data("zip_" + kind.replace("<", "l").replace(">", "b"), numbers((13, 7), kind), chunks=(4, 3), compression="gzip", shuffle=True)
        f.close()

        f = File("layouts_" + version, libver=version)
        shapes = [((17,), (5,)), ((17,), (40,)), ((1000,), (3,)), ((9, 10), (4, 10)), ((6, 7, 8), (3, 3, 3)), ((3, 4, 5, 6), (3, 4, 5, 6)), ((4, 5, 2, 3, 2), (2, 2, 1, 2, 2))]
        filters = [{}, dict(compression="gzip"), dict(compression="gzip", compression_opts=0, shuffle=True), dict(shuffle=True), dict(fletcher32=True), dict(compression="gzip", shuffle=True, fletcher32=True)]
        n = 0
        for (shape, chunk), options in itertools.product(shapes, filters):
            most = [tuple(shape), tuple(s + 7 for s in shape)] + [tuple(None if i == k else s + 1 for i, s in enumerate(shape)) for k in range(len(shape))] + [(None,) * len(shape)]
            for maxshape in most:
                if any(m is not None and c > m for c, m in zip(chunk, maxshape)):
                    continue
                f.data(f"d{n}", numbers(shape, "<f4"), chunks=chunk, maxshape=maxshape, **options)
                n += 1
        f.close()

        f = File("many_" + version, libver=version)
        f.nodes.append("/")
        for i in range(400):
            f.f.create_group(f"a rather long name of a group, number {i}")
            f.f.attrs[f"attribute number {i}"] = np.arange(i % 20)
        g = f.f.create_group("large")
        if version != "earliest":
            for i in range(10):
                g.attrs[f"large {i}"] = np.arange(5000, dtype="f4")
        f.nodes.append("large")
        for i in range(60):
            g.create_dataset(f"{i}" * 50, data=i)
        f.close()

        f = File("long_" + version, libver=version)
        for k, (count, chunk, most) in enumerate([(9000, 7, None), (9000, 7, 9000), (1500, 1, 1500), (1500, 1, None), (1100, 1, 3000)]):
            for options in [{}, dict(compression="gzip")]:
                f.data(f"r{k}{len(options)}", rng.integers(0, 9, count).astype("u1"), chunks=(chunk,), maxshape=(most,), **options)
        d = f.f.create_dataset("sparse", (300000,), "u1", chunks=(1,), maxshape=(None,))
        d[299990:] = 1
        d[20000:20010] = 2
        f.nodes.append("sparse")
        d = f.f.create_dataset("sparse fixed", (50000,), "u1", chunks=(2,), fillvalue=5)
        d[49990:] = 1
        d[20000:20010] = 2
        f.nodes.append("sparse fixed")
        d = f.f.create_dataset("shrunk", (50, 50), "i2", chunks=(4, 4), maxshape=(None, None))
        d[...] = np.arange(2500).reshape(50, 50)
        d.resize((13, 31))
        f.nodes.append("shrunk")
        f.data("both", rng.integers(0, 99, (90, 60)).astype("u1"), chunks=(3, 3), maxshape=(None, None))
        f.data("both zip", rng.integers(0, 99, (90, 60)).astype("u1"), chunks=(3, 3), maxshape=(None, None), compression="gzip")
        p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        p.set_chunk((3, 4))
        p.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        value = np.arange(70, dtype="<i4").reshape(7, 10)
        h5py.h5d.create(f.f.id, b"early", h5py.h5t.NATIVE_INT32, h5py.h5s.create_simple((7, 10)), p).write(h5py.h5s.ALL, h5py.h5s.ALL, value)
        f.nodes.append("early")
        f.close()


small() if len(sys.argv) > 2 else grid()
