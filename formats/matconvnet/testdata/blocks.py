"""Writes a small DagNN with every block, and what it computes by plain loops.

python3 blocks.py FOLDER
"""
import json, os, sys
import numpy as np, scipy.io

folder = sys.argv[1]
rng = np.random.default_rng(1)


def conv(x, f, b, stride, pad, dilate):  # x [C,H,W], f [H,W,In,Out]
    r, s, depth, out = f.shape
    groups = x.shape[0] // depth
    x = np.pad(x, ((0, 0), pad[:2], pad[2:]))
    h = (x.shape[1] - (dilate[0] * (r - 1) + 1)) // stride[0] + 1
    w = (x.shape[2] - (dilate[1] * (s - 1) + 1)) // stride[1] + 1
    y = np.zeros((out, h, w))
    for k in range(out):
        first = k // (out // groups) * depth
        for i in range(h):
            for j in range(w):
                piece = x[first:first + depth, i * stride[0]:i * stride[0] + dilate[0] * (r - 1) + 1:dilate[0], j * stride[1]:j * stride[1] + dilate[1] * (s - 1) + 1:dilate[1]]
                y[k, i, j] = b[k] + (piece * f[:, :, :, k].transpose(2, 0, 1)).sum()
    return y


def convt(x, f, b, up, crop):  # f [H,W,Out,In]
    r, s, out, depth = f.shape
    y = np.zeros((out, up[0] * (x.shape[1] - 1) + r, up[1] * (x.shape[2] - 1) + s))
    for c in range(depth):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                y[:, i * up[0]:i * up[0] + r, j * up[1]:j * up[1] + s] += x[c, i, j] * f[:, :, :, c].transpose(2, 0, 1)
    return y[:, crop[0]:y.shape[1] - crop[1], crop[2]:y.shape[2] - crop[3]] + b[:, None, None]


def pool(x, size, stride, pad, how):
    x = np.pad(x, ((0, 0), pad[:2], pad[2:]), constant_values=np.nan)
    h, w = (x.shape[1] - size[0]) // stride[0] + 1, (x.shape[2] - size[1]) // stride[1] + 1
    return np.stack([[how(x[:, i * stride[0]:i * stride[0] + size[0], j * stride[1]:j * stride[1] + size[1]], axis=(1, 2)) for j in range(w)] for i in range(h)]).transpose(2, 0, 1)


def lrn(x, n, kappa, alpha, beta):
    y = np.zeros_like(x)
    for c in range(x.shape[0]):
        window = x[max(0, c - n // 2):c + n // 2 + 1]
        y[c] = x[c] * (kappa + alpha * (window ** 2).sum(0)) ** -beta
    return y


x = rng.normal(size=(4, 9, 8))
f1, b1 = rng.normal(size=(3, 2, 2, 6)), rng.normal(size=6)
f2, b2 = rng.normal(size=(3, 4, 5, 6)), rng.normal(size=5)
mult, bias, moments = rng.normal(size=6), rng.normal(size=6), np.stack([rng.normal(size=6), rng.uniform(1, 2, 6)], 1)
v = {"input": x}
v["c"] = conv(x, f1, b1, (1, 2), (1, 0, 2, 1), (2, 1))
v["n"] = (v["c"] - moments[:, :1, None]) / moments[:, 1:, None] * mult[:, None, None] + bias[:, None, None]
v["r"] = np.where(v["n"] > 0, v["n"], 0.25 * v["n"])
v["m"] = pool(v["r"], (3, 2), (2, 1), (1, 0, 0, 1), np.nanmax)
v["a"] = pool(v["r"], (3, 2), (2, 1), (1, 0, 0, 1), np.nanmean)
v["s"] = v["m"] + v["a"]
v["l"] = lrn(v["s"], 3, 2, 0.5, 0.75)
v["t"] = convt(v["l"], f2, b2, (2, 3), (1, 0, 2, 1))
v["g"] = 1 / (1 + np.exp(-v["t"]))
v["j"] = np.concatenate([v["t"], v["g"]])
v["d"] = v["j"]
e = np.exp(v["d"] - v["d"].max(0))
v["p"] = e / e.sum(0)

layers = [  # name, type, inputs, output, params, block
    ("conv", "Conv", ["input"], "c", ["f1", "b1"], dict(size=[3., 2., 2., 6.], hasBias=True, stride=[1., 2.], pad=[1., 0., 2., 1.], dilate=[2., 1.])),
    ("norm", "BatchNorm", ["c"], "n", ["mult", "bias", "moments"], dict(epsilon=1e-4)),
    ("relu", "ReLU", ["n"], "r", [], dict(leak=0.25)),
    ("sum", "Sum", ["m", "a"], "s", [], dict(numInputs=2.)),
    ("max", "Pooling", ["r"], "m", [], dict(method="max", poolSize=[3., 2.], stride=[2., 1.], pad=[1., 0., 0., 1.])),
    ("avg", "Pooling", ["r"], "a", [], dict(method="avg", poolSize=[3., 2.], stride=[2., 1.], pad=[1., 0., 0., 1.])),
    ("lrn", "LRN", ["s"], "l", [], dict(param=[3., 2., 0.5, 0.75])),
    ("up", "ConvTranspose", ["l"], "t", ["f2", "b2"], dict(size=[3., 4., 5., 6.], upsample=[2., 3.], crop=[1., 0., 2., 1.], numGroups=1.)),
    ("sig", "Sigmoid", ["t"], "g", [], dict(opts=0.)),
    ("join", "Concat", ["t", "g"], "j", [], dict(dim=3.)),
    ("drop", "DropOut", ["j"], "d", [], dict(rate=0.4)),
    ("prob", "SoftMax", ["d"], "p", [], dict(opts=0.)),
    ("loss", "Loss", ["p", "label"], "o", [], dict(loss="log")),
]


def cell(x):
    out = np.empty((1, len(x)), object)
    for i, y in enumerate(x):
        out[0, i] = y
    return out


def structs(names, rows):
    out = np.empty((1, len(rows)), dtype=[(n, "O") for n in names])
    for i, row in enumerate(rows):
        out[0, i] = row
    return out


params = dict(f1=f1, b1=b1[None], mult=mult[:, None], bias=bias[:, None], moments=moments, f2=f2, b2=b2[None])
net = {
    "layers": structs(["name", "type", "inputs", "outputs", "params", "block"],
                      [(n, "dagnn." + t, cell(i), cell([o]), cell(p), b) for n, t, i, o, p, b in layers]),
    "params": structs(["name", "value"], [(k, w.astype("f4")) for k, w in params.items()]),
    "meta": {"normalization": {"imageSize": [9., 8., 4.], "averageImage": np.arange(4.).reshape(1, 1, 4), "keepAspect": 1.},
             "classes": {"name": cell(["n1", "n2"]), "description": cell(["cat", "dog"])}},
}
for name, compressed in [("blocks", True), ("blocks_plain", False)]:
    scipy.io.savemat(os.path.join(folder, name + ".mat"), {"net": net}, do_compression=compressed)

# The oldest form: the fields of net are variables, and layers have filters and biases.
old = [dict(type="conv", filters=f1.astype("f4"), biases=b1[None].astype("f4"), stride=[1., 2.], pad=[1., 0., 2., 1.], dilate=[2., 1.]),
       dict(type="bnorm", weights=cell([w.astype("f4") for w in (mult[None], bias[None], moments)])),
       dict(type="relu", leak=0.25), dict(type="softmaxloss")]
scipy.io.savemat(os.path.join(folder, "simple.mat"), {"layers": cell(old), "imageMean": 3.0}, do_compression=True)
with open(os.path.join(folder, "blocks.json"), "w") as out:
    json.dump({k: {"shape": y.shape, "values": [round(float(z), 7) for z in y.ravel()]} for k, y in v.items() if k in "input c n r m a s l t p".split()}, out)
