"""Writes two small networks with what a training adds to them: losses, rates, momentum.

python3 trained.py FOLDER
"""
import os, sys
import numpy as np, scipy.io

folder = sys.argv[1]
rng = np.random.default_rng(1)


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


f1, b1 = rng.normal(size=(3, 3, 2, 4)).astype("f4"), rng.normal(size=(1, 4)).astype("f4")
f2, b2 = rng.normal(size=(2, 2, 4, 5)).astype("f4"), rng.normal(size=(1, 5)).astype("f4")
norm = [w.astype("f4") for w in (np.ones((4, 1)), np.zeros((4, 1)), np.ones((4, 2)))]
old = [dict(type="conv", filters=f1, biases=b1, stride=1., pad=0., filtersLearningRate=0.5, biasesLearningRate=2., filtersWeightDecay=1., biasesWeightDecay=0., filtersMomentum=f1, biasesMomentum=0 * b1),
       dict(type="bnorm", weights=cell(norm), learningRate=[2., 1., 0.05], weightDecay=[0., 0., 0.]),
       dict(type="conv", weights=cell([f2, b2]), stride=1., pad=0., learningRate=[3., 4.], weightDecay=0.25),
       dict(type="softmaxloss")]
scipy.io.savemat(os.path.join(folder, "trained.mat"), {"layers": cell(old)}, do_compression=True)

layers = [("conv1", "Conv", ["x"], "c1", ["f1", "b1"], dict(hasBias=True)), ("conv2", "Conv", ["c1"], "c2", ["f2", "b2"], dict(hasBias=True)),
          ("loss", "Loss", ["c2", "label"], "objective", [], dict(loss="softmaxlog")), ("error", "Loss", ["c2", "label"], "top1", [], dict(loss="classerror"))]
net = {"layers": structs(["name", "type", "inputs", "outputs", "params", "block"], [(n, "dagnn." + t, cell(i), cell([o]), cell(p), b) for n, t, i, o, p, b in layers]),
       "params": structs(["name", "value", "learningRate", "weightDecay"], [("f1", f1, 1., 1.), ("b1", b1, 2., 0.), ("f2", f2, 0., 1.), ("b2", b2, 0., 1.)])}
scipy.io.savemat(os.path.join(folder, "trained_dag.mat"), {"net": net}, do_compression=True)
