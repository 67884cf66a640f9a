"""Makes networks of TensorFlow Lite with random weights, and what its interpreter computes.

    tflite.py FOLDER [NAME...]

writes NAME.tflite and NAME.npz, an input and the output, for each network that is named, or
for all.
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from tensorflow import keras

layers = keras.layers


def every_layer():
    """A network with the operators that the larger ones do not have."""
    x = image = keras.Input((8, 6, 3))
    x = layers.Rescaling(2.0, offset=-1)(x)
    x = layers.ZeroPadding2D(((0, 1), (2, 1)))(x)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(8, 3, groups=2, padding="same", activation="tanh")(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    x = layers.BatchNormalization()(layers.Concatenate()([x, layers.LeakyReLU()(x)]))
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = layers.AveragePooling2D(3, 1, padding="same")(x)
    y = layers.UpSampling2D(2, interpolation="bilinear")(x)
    z = layers.UpSampling2D(2)(x)
    x = layers.Maximum()([y, layers.Activation("sigmoid")(z)])
    x = layers.Subtract()([x, layers.Multiply()([y, z])])
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu6")(x)
    x = layers.Permute((2, 1, 3))(x)
    x = layers.Reshape((-1, 12))(x)
    x = layers.Permute((2, 1))(x)
    x = layers.Flatten()(x)
    x = layers.Dense(8, activation="elu")(x)
    x = layers.BatchNormalization()(layers.Activation("gelu")(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def flattened():
    """An image that is flattened before a dense layer."""
    return keras.Sequential([keras.Input((9, 7, 3)), layers.Conv2D(5, 3, activation="relu"), layers.Flatten(), layers.Dense(11), layers.Softmax()])


def twins():
    """A convolution that is called twice."""
    a = keras.Input((10, 10, 4))
    conv = layers.Conv2D(4, 3, padding="same", activation="relu")
    return keras.Model(a, layers.GlobalMaxPooling2D()(conv(conv(a))))


def networks():
    applications = keras.applications
    yield "every_layer", every_layer
    yield "flattened", flattened
    yield "twins", twins
    yield "mobilenet", lambda: applications.MobileNet((96, 96, 3), alpha=0.25, weights=None)
    yield "mobilenet_v2", lambda: applications.MobileNetV2((96, 96, 3), weights=None)
    yield "mobilenet_v3", lambda: applications.MobileNetV3Small((96, 96, 3), weights=None)
    yield "efficientnet_b0", lambda: applications.EfficientNetB0(input_shape=(96, 96, 3), weights=None)
    yield "resnet50", lambda: applications.ResNet50(input_shape=(64, 64, 3), weights=None)
    yield "densenet121", lambda: applications.DenseNet121(input_shape=(64, 64, 3), weights=None)


def randomise(model, random):
    """Gives statistics and biases other values than those before training."""
    for w in model.weights:
        x = w.numpy()
        if x.ndim < 2:
            x = x + random.uniform(0, 0.5, x.shape) if "var" in w.path or "gamma" in w.path else x + random.normal(0, 0.1, x.shape)
        w.assign(x.astype(np.float32))


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for number, (name, make) in enumerate(networks()):
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        tf.random.set_seed(number)
        model = make()
        random = np.random.default_rng(number)
        randomise(model, random)
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if number % 3 == 2:  # weights of float16
            converter.optimizations, converter.target_spec.supported_types = [tf.lite.Optimize.DEFAULT], [tf.float16]
        content = converter.convert()
        with open(f"{folder}/{name}.tflite", "wb") as f:
            f.write(content)
        interpreter = tf.lite.Interpreter(model_content=content)
        interpreter.allocate_tensors()
        x = random.uniform(0, 1, (3, *model.input_shape[1:])).astype(np.float32)
        if "net" in name:
            x *= 255 if "v3" in name or "efficient" in name else 1
        outputs = []
        for sample in x:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample[None])
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
        np.savez(f"{folder}/{name}.npz", input=x, output=np.stack(outputs))


main()
