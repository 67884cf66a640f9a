"""Makes the test files of formats/keras that older programs could have written: a name of a layer
with a slash in a model in the model, batch renormalization, weights without the names of layers, and those of Keras 2.12.

  python3 keras-older.py FOLDER

Needs tf_keras (Keras 2) and TensorFlow.
"""

import gzip
import os
import re
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import h5py
import numpy as np
import tf_keras as keras
from tf_keras.src.layers.normalization import batch_normalization


class BatchNormalization(batch_normalization.BatchNormalizationBase):
    """BatchNormalization as version 1 of TensorFlow had it."""


def save(model, name, *forms):
    """Saves the model with random weights, and what it computes."""
    model.set_weights([np.abs(r.normal(size=w.shape)).astype("f") + 0.1 if w.shape else w for w in model.get_weights()])
    for form in forms:
        path = os.path.join(sys.argv[1], name + form)
        if form == ".json":
            with open(path, "w") as f:
                f.write(model.to_json())
            continue
        if form == ".weights.h5":
            model.save_weights(path)
        else:
            model.save(path)
        with open(path, "rb") as f, gzip.GzipFile(path + ".gz", "wb", mtime=0) as z:
            z.write(f.read())
        os.remove(path)
    x = r.normal(size=(2, *model.input_shape[1:])).astype("f")
    path = os.path.join(sys.argv[1], name + ".npz")
    np.savez(path, image=x, out=model(x).numpy())
    with open(path, "rb") as f, gzip.GzipFile(path + ".gz", "wb", mtime=0) as z:
        z.write(f.read())
    os.remove(path)


r = np.random.default_rng(1)
layers = keras.layers

image = layers.Input((6, 5, 3))
y = layers.Conv2D(4, 3, name="conv1/conv")(image)
y = layers.BatchNormalization(name="conv1/bn")(y)
inner = keras.Model(image, layers.Conv2D(4, 1, name="conv2/conv")(y), name="inner")
save(keras.Sequential([inner, layers.Flatten(), layers.Dense(3, name="out")]), "slash", ".h5")

save(keras.Sequential([layers.Input((6, 5, 3)), layers.Conv2D(4, 3), BatchNormalization(renorm=True, name="bn"), layers.Conv2D(2, 1, name="out")]), "renorm", ".json", ".h5", ".weights.h5")

layers.Conv2D(3, 1)  # so that the others are conv2d_1 and conv2d_2 or later ones
save(keras.Sequential([layers.Input((6, 5, 3)), layers.Conv2D(3, 1), layers.Conv2D(3, 1)]), "count", ".weights.h5")

# Keras 2.12 lists each layer that has weights twice, and saves it the first time: what is saved
# here is saved again in groups of the names that this makes.
inner = keras.Sequential([layers.Input((6, 5, 3)), layers.Conv2D(3, 3, padding="same"), layers.ReLU(), layers.Conv2D(3, 3, padding="same")], name="inner")
model = keras.Sequential([layers.Input((6, 5, 3)), layers.Conv2D(3, 1), layers.Dropout(0.5), inner, layers.Conv2D(3, 1), layers.Conv2D(3, 1, name="out")])
save(model, "v2_12", ".json")


def groups(layer_list, to):
    """Saves layers as Keras 2.12 does."""
    used, seen = {}, set()
    for layer in [layer for layer in layer_list for _ in range(2 if layer.weights else 1)]:
        name = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
        used[name] = used.get(name, -1) + 1
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        g = to.create_group(name + (f"_{used[name]}" if used[name] else ""))
        if isinstance(layer, keras.Sequential):
            g.create_group("vars")
            groups(layer.layers, g.create_group("_layer_checkpoint_dependencies"))
            continue
        for i, w in enumerate(layer.weights):
            g.require_group("vars")[str(i)] = w.numpy()


path = os.path.join(sys.argv[1], "v2_12.weights.h5")
with h5py.File(path, "w") as f:
    groups(model.layers, f.create_group("_layer_checkpoint_dependencies"))
with open(path, "rb") as f, gzip.GzipFile(path + ".gz", "wb", mtime=0) as z:
    z.write(f.read())
os.remove(path)
