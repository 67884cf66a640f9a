"""Compares the answers of a network in onnxruntime with those of hubel, picture by picture.

    onnx-accuracy.py digits MNIST FOLDER        writes MNIST's test set as pictures
    onnx-accuracy.py photographs TAR FOLDER N SIZE
                                                writes N pictures of each class, in this size
    onnx-accuracy.py compare WEIGHTS TEST ANSWERS FOLDER PLAIN.onnx WITH-PREPROCESSING.onnx

Pictures are FOLDER/CLASS/NAME.png, of the size that the network takes, so that neither program
resizes them. TEST is what `train -eval` says of them, and ANSWERS what `predict -json -top 1000`
does. The plain model gets floats, which are made here by the preprocessing that WEIGHTS names;
the other one gets the bytes.
"""
import gzip
import io
import json
import os
import re
import struct
import sys
import tarfile

import numpy
from PIL import Image

TIE = 1e-5  # classes whose probabilities are closer than this


def digits(mnist, folder):
    def read(name, offset):
        return numpy.frombuffer(gzip.open(os.path.join(mnist, name)).read(), "uint8", offset=offset)

    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    for i, (image, label) in enumerate(zip(images, read("t10k-labels-idx1-ubyte.gz", 8))):
        write(Image.fromarray(image), folder, str(label), i)


def photographs(tar, folder, count, size):
    done = {}
    with tarfile.open(tar) as files:
        for file in files:
            name = os.path.basename(os.path.dirname(file.name))
            if not file.isfile() or done.get(name, 0) >= count:
                continue
            image = Image.open(io.BytesIO(files.extractfile(file).read())).convert("RGB")
            write(image.resize((size, size), Image.BICUBIC), folder, name, done.get(name, 0))
            done[name] = done.get(name, 0) + 1


def write(image, folder, name, i):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    image.save(os.path.join(folder, name, f"{i:05d}.png"), compress_level=1)


def preprocessed(x, weights):
    """Floats, as the weights file says."""
    with open(weights, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    how = json.loads(header["__metadata__"]["preprocess"])
    column = lambda list: numpy.array(list, "float32").reshape(-1, 1, 1)
    x = x.astype("float32")
    if how.get("mean"):
        x = x - column(how["mean"])
    if how.get("deviation"):
        x = x / column(how["deviation"])
    return x * numpy.float32(how.get("scale") or 1)


def compare(weights, test, answers, folder, *models):
    import onnxruntime

    accuracy = float(re.search(r"accuracy ([0-9.]+) %", open(test).read())[1])
    lines = [json.loads(line) for line in open(answers)]
    classes = sorted(os.listdir(folder))
    pictures = [numpy.asarray(Image.open(line["file"])) for line in lines]
    pictures = [p[None] if p.ndim == 2 else p.transpose(2, 0, 1) for p in pictures]
    labels = numpy.array([classes.index(os.path.basename(os.path.dirname(line["file"]))) for line in lines])
    hubel = numpy.zeros((len(lines), len(classes)))
    for row, line in zip(hubel, lines):
        for top in line["top"]:
            row[top["label"]] = top["probability"]
    right = (hubel.argmax(1) == labels).sum()
    print(f"hubel: {right} of {len(lines)} right, answers of {len(set(hubel.argmax(1)))} classes")
    failed = abs(100 * right / len(lines) - accuracy) > 0.005
    for path, whole in zip(models, (False, True)):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        rows = []
        for i in range(0, len(pictures), 50):
            x = numpy.stack(pictures[i : i + 50])
            rows.append(session.run(None, {session.get_inputs()[0].name: x if whole else preprocessed(x, weights)})[0])
        y = numpy.concatenate(rows)
        other = y.argmax(1) != hubel.argmax(1)
        ordered = numpy.sort(hubel, 1)
        ties = other & (ordered[:, -1] - ordered[:, -2] < TIE)
        count = (y.argmax(1) == labels).sum()
        print(f"onnxruntime {onnxruntime.__version__}, {'bytes' if whole else 'floats'}: {count} right, {other.sum()} other answers, "
              f"{ties.sum()} of them ties, probabilities within {numpy.abs(y - hubel).max():.1e}")
        failed |= (other & ~ties).any() or abs(int(count) - int(right)) > ties.sum() or not numpy.abs(y - hubel).max() <= 1e-4
    sys.exit(int(failed))


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "photographs":
        rest[2:] = map(int, rest[2:])
    {"digits": digits, "photographs": photographs, "compare": compare}[kind](*rest)
