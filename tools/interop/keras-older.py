"""Makes the test files of formats/keras that older programs could have written: a name of a layer
with a slash in a model in the model, batch renormalization, and weights without the names of layers.

  python3 keras-older.py FOLDER

Needs tf_keras (Keras 2) and TensorFlow.
"""

import gzip
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

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
