"""Reads the event files of a run with TensorBoard's own readers, and compares every number with
the run's logs:

    tensorboard-run.py RUN_FOLDER [FILES]

FILES is how many event files there must be: one for each time that the run went on."""

import csv
import io
import json
import os
import struct
import sys

from PIL import Image
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import graph_pb2
from tensorboard.plugins.hparams import metadata


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def single(x):
    """x as TensorBoard keeps it: float32."""
    return struct.unpack("f", struct.pack("f", x))[0]


def tag(key):
    """The tag of a number that a line of log.jsonl has under a key."""
    if key in ("rate", "images_per_second", "input_per_second"):
        return key
    for prefix, part in (("train_", "train"), ("averaged_test_", "averaged"), ("averaged_", "averaged"), ("test_", "test")):
        if key.startswith(prefix):
            return key[len(prefix):] + "/" + part
    return key + ("/train" if key == "loss" else "/test")


def main(folder, files):
    paths = sorted(p for p in os.listdir(folder) if "tfevents" in p)
    assert len(paths) == files, paths
    for path in paths:  # verifies the checksums, and fails at the first record that is damaged
        events = list(event_file_loader.EventFileLoader(os.path.join(folder, path)).Load())
        assert events[0].file_version == "brain.Event:2", path

    run = EventAccumulator(folder, size_guidance={"scalars": 0, "histograms": 0, "images": 0, "tensors": 0})
    run.Reload()
    tags = run.Tags()

    log = lines(os.path.join(folder, "log.jsonl"))
    want = {}
    for line in log:
        for key, x in line.items():
            if key not in ("iteration", "epoch"):
                want.setdefault(tag(key), []).append((line["iteration"], single(x)))
    got = {t: [(e.step, e.value) for e in run.Scalars(t)] for t in tags["scalars"]}
    assert got == want, "scalars differ from log.jsonl:\n%r\n%r" % (got, want)
    scalars = sum(map(len, got.values()))

    with open(os.path.join(folder, "log.csv"), encoding="utf-8", newline="") as f:
        rows = [{k: json.loads(x) for k, x in row.items() if x != ""} for row in csv.DictReader(f)]
    assert rows == log, "log.csv differs from log.jsonl"

    histograms = 0
    want = {}
    for line in lines(os.path.join(folder, "monitor.jsonl")):
        for layer in line["layers"]:
            for kind, d in layer.items():
                if kind != "layer":
                    want.setdefault(kind + "/" + layer["layer"], []).append((line["iteration"], d))
    assert sorted(want) == sorted(tags["histograms"]), tags["histograms"]
    for t, list_ in want.items():
        seen = run.Histograms(t)
        assert [e.step for e in seen] == [step for step, _ in list_], t
        for e, (_, d) in zip(seen, list_):
            h = e.histogram_value
            assert list(h.bucket) == d["counts"] and h.num == sum(d["counts"]), t
            assert abs(h.sum - d["mean"] * h.num) <= 1e-9 * (1 + abs(h.sum)), t
            assert abs(h.sum_squares - d["norm"] ** 2) <= 1e-9 * (1 + h.sum_squares), t
            assert all(a < b for a, b in zip([h.min] + list(h.bucket_limit), h.bucket_limit)), t
            histograms += 1

    images = run.Images("filters/conv1.weight")
    for e in images:
        picture = Image.open(io.BytesIO(e.encoded_image_string))
        assert picture.size == (e.width, e.height) and picture.getextrema()[0][0] < picture.getextrema()[0][1]
    assert [e.step for e in images] == sorted(set(e.step for e in images)) and len(images) > 1, images

    graph = graph_pb2.GraphDef()
    graph.ParseFromString(run.Graph().SerializeToString())
    nodes = {n.name: n for n in graph.node}
    shape = [d.size for d in nodes["conv1"].attr["_output_shapes"].list.shape[0].dim]
    assert nodes["conv1"].op == "conv" and shape == [64, 20, 24, 24], nodes["conv1"]
    for n in graph.node:
        assert all(i.split(":")[0] in nodes for i in n.input), n

    start = metadata.parse_session_start_info_plugin_data(run.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content)
    settings = {k: v.number_value if v.HasField("number_value") else v.string_value for k, v in start.hparams.items()}
    assert settings["batch"] == 64 and settings["data"] == "mnist" and settings["schedule.policy"] == "cosine", settings
    end = metadata.parse_session_end_info_plugin_data(run.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content)
    assert end.status == 1, end

    print("TensorBoard reads %d scalars as log.jsonl has them, %d histograms, %d pictures, a graph of %d nodes, %d settings" %
          (scalars, histograms, len(images), len(nodes), len(settings)))


main(sys.argv[1], int(sys.argv[2]))
