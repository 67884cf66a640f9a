#!/usr/bin/env python3
"""Makes the test files of formats/keras: networks with every layer that is read.

    python tools/interop/keras-layers.py formats/keras/testdata

Each layer has an output of its own, and the archive of a network has what Keras computes of
each, by the layer's name. Needs keras, jax, tensorflow and tf_keras (Keras 2); without tf_keras the
files of Keras 2 are left as they are. Weights are random, with a fixed seed.
"""
import gzip
import os
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "jax"  # TensorFlow lacks channels first and transposed dilation on CPUs
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import keras

try:
    import tf_keras
except ImportError:
    tf_keras = None

out = sys.argv[1]
rng = np.random.default_rng(5)


def fill(model):
    """Random weights, variances positive."""
    for v in model.weights:
        name = v.name.split("/")[-1]
        if "seed" in name or "count" in name:
            continue
        x = rng.normal(0, 0.5, v.shape)
        if "variance" in name:
            x = np.abs(x) + 0.2
        v.assign(x.astype("float32"))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # of Normalization, which keeps what it computes of its arrays
            layer.finalize_state()


def every_layer(k, two):
    """A model with an output for each layer. two says that k is Keras 2."""
    L = k.layers
    x = k.Input((5, 6, 4), name="image")
    outs = []

    def add(layer, *of):
        of = of or (x,)
        y = layer(list(of) if len(of) > 1 else of[0])
        outs.append(y)
        return y

    # convolutions
    add(L.Conv2D(5, (3, 2), strides=(2, 1), padding="same", name="conv_same"))
    add(L.Conv2D(6, 3, dilation_rate=2, groups=2, use_bias=False, name="conv_dilated_groups"))
    add(L.Conv2D(3, 4, padding="same", activation="relu", name="conv_even_same"))
    add(L.Conv2D(3, 2, strides=3, padding="same", name="conv_stride_beyond"))
    add(L.Conv2D(4, 2, padding="same", dilation_rate=(2, 3), name="conv_same_dilated"))
    add(L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", strides=2, name="depthwise"))
    add(L.DepthwiseConv2D((2, 3), dilation_rate=(2, 1), use_bias=False, activation="tanh", name="depthwise_dilated"))
    add(L.SeparableConv2D(5, 3, depth_multiplier=2, padding="same", activation="relu6" if not two else "relu", name="separable"))
    add(L.SeparableConv2D(5, 2, strides=2, use_bias=False, name="separable_plain"))
    add(L.Conv2DTranspose(3, 3, strides=2, padding="same", name="deconv_same"))
    add(L.Conv2DTranspose(3, 4, strides=2, name="deconv_valid"))
    add(L.Conv2DTranspose(3, (2, 1), strides=3, padding="same", use_bias=False, name="deconv_stride_beyond_same"))
    add(L.Conv2DTranspose(2, 2, strides=3, name="deconv_stride_beyond"))
    add(L.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1, name="deconv_output_padding"))
    add(L.Conv2DTranspose(2, 4, strides=(2, 3), padding="same", activation="elu", name="deconv_even_same"))
    if not two:
        add(L.Conv2DTranspose(2, 2, dilation_rate=2, padding="same", name="deconv_dilated"))
    # pooling
    add(L.MaxPooling2D(name="max_pool"))
    add(L.MaxPooling2D((3, 2), strides=(2, 3), padding="same", name="max_pool_same"))
    add(L.AveragePooling2D(3, strides=2, padding="same", name="average_pool_same"))
    add(L.AveragePooling2D((2, 4), padding="valid", name="average_pool"))
    add(L.GlobalAveragePooling2D(name="global_average"))
    add(L.GlobalMaxPooling2D(keepdims=True, name="global_max_kept"))
    gap = add(L.GlobalMaxPooling2D(name="global_max"))
    if not two and hasattr(L, "AdaptiveAveragePooling2D"):
        add(L.AdaptiveAveragePooling2D((3, 5), name="adaptive_average"))
        add(L.AdaptiveMaxPooling2D(4, name="adaptive_max"))
    # normalisation
    add(L.BatchNormalization(name="bn"))
    add(L.BatchNormalization(center=False, epsilon=0.01, momentum=0.9, name="bn_no_center"))
    add(L.BatchNormalization(scale=False, name="bn_no_scale"))
    add(L.BatchNormalization(scale=False, center=False, name="bn_plain"))
    add(L.BatchNormalization(name="bn_features"), gap)
    add(L.LayerNormalization(name="layer_norm"))
    add(L.LayerNormalization(axis=[1, 2, 3], epsilon=0.1, name="layer_norm_all"))
    add(L.LayerNormalization(center=False, name="layer_norm_features"), gap)
    add(L.LayerNormalization(scale=False, center=False, name="layer_norm_plain"))
    add(L.GroupNormalization(groups=2, name="group_norm"))
    add(L.GroupNormalization(groups=-1, scale=False, name="instance_norm"))
    # shapes
    flat = add(L.Flatten(name="flatten"))
    add(L.Flatten(name="flatten_features"), gap)
    add(L.Reshape((6, 5, 4), name="reshape_pixels"))
    add(L.Reshape((30, 4), name="reshape_rows"))
    add(L.Reshape((4, 6, 5), name="reshape_all"))
    add(L.Reshape((-1,), name="reshape_flat"))
    add(L.Reshape((6, 5, -1), name="reshape_of_flat"), flat)
    add(L.Reshape((1, 1, 4), name="reshape_features"), gap)
    add(L.Reshape((2, 2, 1), name="reshape_features_one"), gap)
    add(L.Reshape((2, 1, 2), name="reshape_features_two"), gap)
    add(L.Permute((2, 1, 3), name="permute"))
    add(L.Permute((3, 1, 2), name="permute_channels"))
    add(L.ZeroPadding2D(((1, 2), (3, 0)), name="zero_pad"))
    add(L.ZeroPadding2D(name="zero_pad_one"))
    add(L.Cropping2D(((1, 2), (0, 3)), name="crop"))
    add(L.Cropping2D((1, 2), name="crop_both"))
    add(L.UpSampling2D((2, 3), name="up"))
    add(L.UpSampling2D((3, 2), interpolation="bilinear", name="up_bilinear"))
    # dense
    add(L.Dense(3, name="dense_flat"), flat)
    add(L.Dense(3, activation="softmax", name="dense_features"), gap)
    add(L.Dense(3, use_bias=False, activation="sigmoid", name="dense_pixels"))
    add(L.Dense(3, name="dense_dropout"), L.Activation("tanh", name="tanh_flat")(L.Dropout(0.5, name="drop_flat")(flat)))
    add(L.Dense(2, name="dense_bn"), L.BatchNormalization(name="bn_flat")(flat))
    # activations
    names = ["relu", "elu", "selu", "softplus", "softsign", "tanh", "sigmoid", "exponential", "hard_sigmoid", "linear", "gelu", "softmax", "swish", "mish"]
    if not two:
        names += ["leaky_relu", "relu6", "celu", "silu", "hard_silu", "hard_tanh", "log_sigmoid", "tanh_shrink", "soft_shrink", "hard_shrink", "squareplus", "sparse_plus", "sparse_sigmoid"]
    for n in names:
        add(L.Activation(n, name="act_" + n))
    add(L.ReLU(name="relu_layer"))
    add(L.ReLU(max_value=6, name="relu_six"))
    add(L.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.5, name="relu_all"))
    add(L.ReLU(negative_slope=0.1, name="relu_leaky"))
    add(L.ReLU(negative_slope=1.5, threshold=0.25, name="relu_steep"))
    add(L.LeakyReLU(name="leaky"))
    add(L.LeakyReLU(0.05, name="leaky_small"))
    add(L.ELU(0.7, name="elu_layer"))
    add(L.PReLU(shared_axes=[1, 2], name="prelu"))
    add(L.PReLU(shared_axes=[1, 2, 3], name="prelu_one"))
    add(L.PReLU(name="prelu_features"), gap)
    add(L.Softmax(name="softmax_layer"))
    add(L.Softmax(axis=3, name="softmax_axis"))
    if two:
        add(L.ThresholdedReLU(0.4, name="thresholded"))
    add(L.Conv2D(2, 1, activation=L.LeakyReLU(0.3), name="conv_layer_activation"))
    # merging
    a = L.Activation("tanh", name="a")(x)
    b = L.Activation("sigmoid", name="b")(x)
    row = L.Cropping2D(((2, 2), (0, 0)), name="row")(x)
    one = L.Conv2D(1, 1, name="one")(x)
    add(L.Add(name="add"), x, a, b)
    add(L.Subtract(name="subtract"), x, a)
    add(L.Multiply(name="multiply"), x, a, b)
    add(L.Average(name="average"), x, a, b)
    add(L.Maximum(name="maximum"), x, a, b)
    add(L.Minimum(name="minimum"), x, a, b)
    add(L.Add(name="add_many"), *[L.Rescaling(i + 0.5, name="r%d" % i)(x) for i in range(9)])
    add(L.Multiply(name="multiply_features"), x, L.Reshape((1, 1, 4), name="gate")(gap))
    add(L.Multiply(name="multiply_pixels"), x, one)
    add(L.Add(name="add_row"), x, row)
    add(L.Multiply(name="multiply_rank"), x, gap)
    add(L.Add(name="add_flat"), flat, L.Flatten(name="flatten_a")(a))
    add(L.Concatenate(name="concat"), x, a, one)
    add(L.Concatenate(axis=1, name="concat_rows"), x, row)
    add(L.Concatenate(axis=2, name="concat_columns"), x, a)
    add(L.Concatenate(name="concat_flat"), flat, gap)
    # preprocessing
    add(L.Rescaling(1 / 127.5, offset=-1, name="rescale"))
    add(L.Rescaling([0.1, 0.2, 0.3, 0.4], offset=[1, 2, 3, 4], name="rescale_channels"))
    add(L.Normalization(name="normalize"))
    add(L.Normalization(axis=None, name="normalize_all"))
    add(L.Normalization(mean=[1, 2, 3, 4], variance=[4, 3, 2, 1], name="normalize_given"))
    add(L.Normalization(mean=[1, 2, 3, 4], variance=[4, 3, 2, 1], invert=True, name="normalize_inverse"))
    add(L.Normalization(mean=[1, 2, 3, 4], variance=[4, 3, 2, 1], name="normalize_features"), gap)
    add(L.CenterCrop(4, 5, name="center_crop"))
    # regularisation
    add(L.Dropout(0.3, name="dropout"))
    add(L.SpatialDropout2D(0.3, name="spatial_dropout"))
    add(L.GaussianNoise(0.3, name="noise"))
    # rows of pixels
    rows = L.Reshape((10, 12), name="rows")(x)
    add(L.Conv1D(5, 3, strides=2, padding="same", name="conv1"), rows)
    add(L.Conv1D(4, 3, padding="causal", dilation_rate=2, groups=2, name="conv1_causal"), rows)
    add(L.DepthwiseConv1D(3, name="depthwise1"), rows)
    add(L.SeparableConv1D(3, 3, name="separable1"), rows)
    add(L.Conv1DTranspose(3, 3, strides=2, padding="same", name="deconv1"), rows)
    add(L.MaxPooling1D(3, padding="same", name="max_pool1"), rows)
    add(L.AveragePooling1D(2, name="average_pool1"), rows)
    add(L.GlobalAveragePooling1D(name="global_average1"), rows)
    add(L.GlobalMaxPooling1D(name="global_max1"), rows)
    add(L.BatchNormalization(name="bn1"), rows)
    add(L.LayerNormalization(name="layer_norm1"), rows)
    add(L.ZeroPadding1D((1, 2), name="zero_pad1"), rows)
    add(L.Cropping1D((1, 2), name="crop1"), rows)
    add(L.UpSampling1D(2, name="up1"), rows)
    add(L.Dense(3, name="dense1"), rows)
    add(L.SpatialDropout1D(0.2, name="spatial_dropout1"), rows)
    add(L.Permute((2, 1), name="permute1"), rows)
    add(L.Dense(3, name="dense_rows"), L.Flatten(name="flatten_rows")(rows))
    # models in the model
    inner = k.Sequential([L.Input((5, 6, 4)) if not two else L.InputLayer((5, 6, 4)), L.Conv2D(3, 3, name="c"), L.BatchNormalization(name="n"), L.Flatten(name="f"), L.Dense(2, name="d")], name="sequential_inside")
    add(inner)
    i = k.Input((5, 6, 4), name="inner_image")
    deep = k.Sequential([L.Input((5, 6, 4)) if not two else L.InputLayer((5, 6, 4)), L.Conv2D(3, 2, name="c")], name="deep")
    add(k.Model(i, L.Conv2D(3, 1, name="c2")(deep(L.ReLU(name="inner_relu")(i))), name="functional_inside"))
    return k.Model(x, outs, name="every_layer")


def record(model, path, x):
    """What every layer computes, by its name: those with an output of the model."""
    values = model(x.astype("float32"), training=False)
    values = values if isinstance(values, (list, tuple)) else [values]
    names = [t._keras_history.operation.name if hasattr(t._keras_history, "operation") else t._keras_history.layer.name for t in model.outputs]
    arrays = {n: np.asarray(v, "float32") for n, v in zip(names, values)}
    assert len(arrays) == len(names) == len(values)
    arrays["image"] = x.astype("float32")
    np.savez(path, **arrays)
    squeeze(path)


def pack(path):
    """An archive again, compressed and without a date."""
    with zipfile.ZipFile(path) as z:
        entries = [(n, z.read(n)) for n in z.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for n, b in entries:
            z.writestr(zipfile.ZipInfo(n, (2020, 1, 1, 0, 0, 0)), b, zipfile.ZIP_DEFLATED)


def squeeze(path):
    with open(path, "rb") as f, gzip.GzipFile(path + ".gz", "wb", 9, mtime=0) as g:
        g.write(f.read())
    os.remove(path)


def at(name):
    return os.path.join(out, name)


def channels_first():
    """A model whose images are [C,H,W]."""
    L, first = keras.layers, {"data_format": "channels_first"}
    x = keras.Input((4, 5, 6), name="image")
    outs = [
        L.Conv2D(5, 3, padding="same", strides=2, name="conv", **first)(x),
        L.BatchNormalization(axis=1, name="bn")(x),
        L.MaxPooling2D(2, padding="same", name="max_pool", **first)(x),
        L.GlobalAveragePooling2D(name="gap", **first)(x),
        L.DepthwiseConv2D(3, name="depthwise", **first)(x),
        L.Conv2DTranspose(3, 3, strides=2, name="deconv", **first)(x),
        L.Dense(3, name="dense_last")(L.Flatten(name="f1", **first)(x)),
        L.Dense(3, name="dense_first")(L.Flatten(name="f2", data_format="channels_last")(x)),
        L.Flatten(name="flatten", **first)(x),
        L.Reshape((6, 5, 4), name="reshape")(x),
        L.Permute((2, 3, 1), name="permute")(x),
        L.PReLU(shared_axes=[2, 3], name="prelu")(x),
        L.Softmax(axis=1, name="softmax")(x),
        L.LayerNormalization(axis=[1, 2, 3], name="layer_norm")(x),
        L.UpSampling2D(2, name="up", **first)(x),
        L.ZeroPadding2D(((1, 0), (2, 1)), name="zero_pad", **first)(x),
        L.Concatenate(axis=1, name="concat")([x, x]),
        L.Concatenate(axis=-1, name="concat_last")([x, x]),
    ]
    return keras.Model(x, outs, name="channels_first")


def forms(k, two):
    """A small model with models in it and a layer that is called twice, for every form of file."""
    L = k.layers
    inner = k.Sequential([L.InputLayer((5, 5, 3)), L.Conv2D(4, 3, name="c"), L.BatchNormalization(name="b")], name="inner")
    i = k.Input((5, 5, 3), name="i")
    outer = k.Model(i, L.MaxPooling2D(2, name="m")(k.Sequential([L.InputLayer((5, 5, 3)), L.Conv2D(4, 2, name="c")], name="deep")(L.ReLU(name="r")(i))), name="outer")
    x = k.Input((5, 5, 3), name="image")
    twice = L.Conv2D(2, 1, name="twice")
    y = L.Add(name="add")([twice(x), twice(L.ReLU(name="relu")(x))])
    z = L.Concatenate(name="joined")([L.Flatten(name="f1")(inner(x)), L.Flatten(name="f2")(outer(x)), L.Flatten(name="f3")(y)])
    out = L.Dense(3, activation="softmax", name="out")(L.Dropout(0.5, name="drop")(z))
    model = k.Model(x, out, name="forms")
    model.compile("adam", "categorical_crossentropy")
    return model


def plain(k):
    """A chain of layers, whose weights fit a network that is given."""
    L = k.layers
    chain = [
        L.InputLayer((5, 5, 3), name="image"), L.Conv2D(4, 3, padding="same", name="conv_a"), L.BatchNormalization(name="bn"), L.PReLU(shared_axes=[1, 2], name="prelu"),
        L.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise"), L.Conv2D(4, 2, name="conv_b"), L.Conv2DTranspose(3, 2, name="deconv"), L.LayerNormalization(name="norm"),
        L.Flatten(name="flatten"), L.Dropout(0.5, name="drop"), L.Dense(6, activation="tanh", name="dense_a"), L.Dense(3, activation="softmax", name="out"),
    ]
    return k.Sequential(chain, name="plain")


os.makedirs(out, exist_ok=True)
image = rng.normal(0, 1, (1, 5, 6, 4))
square = rng.normal(0, 1, (2, 5, 5, 3))

model = every_layer(keras, False)
fill(model)
record(model, at("keras3.npz"), image)
model.save(at("keras3.keras"))
pack(at("keras3.keras"))

model = channels_first()
fill(model)
record(model, at("first.npz"), image.transpose(0, 3, 1, 2))
model.save(at("first.keras"))
pack(at("first.keras"))

if tf_keras:
    model = every_layer(tf_keras, True)
    fill(model)
    record(model, at("keras2.npz"), image)
    model.save(at("keras2.h5"))
    squeeze(at("keras2.h5"))

for number, k in ("3", keras), ("2", tf_keras):
    if k is None:
        continue
    model = forms(k, number == "2")
    fill(model)
    record(model, at("forms%s.npz" % number), square)
    model.save(at("forms%s.keras" % number))
    pack(at("forms%s.keras" % number))
    model.save(at("forms%s.h5" % number))
    squeeze(at("forms%s.h5" % number))
    model.save_weights(at("forms%s.weights.h5" % number))
    squeeze(at("forms%s.weights.h5" % number))
    if number == "2":
        model.save_weights(at("forms2.old.h5"), save_format="h5")
        squeeze(at("forms2.old.h5"))
    with open(at("forms%s.json" % number), "w") as f:
        f.write(model.to_json())

    if number == "2":
        model = plain(k)
        fill(model)
        record(model, at("plain.npz"), square)
        model.save_weights(at("plain.weights.h5"))
        squeeze(at("plain.weights.h5"))
        model.save_weights(at("plain.old.h5"), save_format="h5")
        squeeze(at("plain.old.h5"))
        with open(at("plain.json"), "w") as f:
            f.write(model.to_json())
