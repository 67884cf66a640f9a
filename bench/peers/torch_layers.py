"""Times PyTorch on the layers of a network, or on whole steps of it.

    torch_layers.py all|layers|net NETWORK.json BATCH RUNS THREADS [cuda|channels_last|compile] > torch.json

NETWORK.json is a network as convert writes it (-o NAME.json). The result is a report as
bench writes it; names and passes are bench's. With channels_last all tensors have that
layout, and with compile whole steps go through torch.compile. On a GPU it computes in
float32, without TF32.
"""
import json
import statistics
import sys
import time

import torch
from torch import nn

kinds, path, batch, runs, threads = *sys.argv[1:3], *map(int, sys.argv[3:6])
way = sys.argv[6] if len(sys.argv) > 6 else ""
place = "cuda" if way == "cuda" else "cpu"
layout = torch.channels_last if way == "channels_last" else torch.contiguous_format
device = "pytorch-" + torch.__version__.split("+")[0] + (f"-{way}" if way else "")
torch.set_num_threads(threads)
if place == "cuda":
    threads = 0
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
torch.manual_seed(1)
with open(path, encoding="utf-8") as f:
    network = json.load(f)
model = network["name"]


def pair(size, other=None):
    """A size of layers: one number for both directions, or height and width."""
    size = other if size is None else size
    return (size, size) if isinstance(size, int) else tuple(size)


def around(o):
    """The padding of a layer on each side: PyTorch wants two sides alike."""
    pad = o.get("pad", 0)
    if isinstance(pad, int):
        return (pad, pad)
    if len(pad) == 2:
        return tuple(pad)
    top, bottom, left, right = pad
    if top != bottom or left != right:
        sys.exit(f"torch_layers.py: padding {pad} differs from side to side")
    return (top, left)


class Several(nn.Module):
    """A layer of several inputs."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *x):
        return self.f(x)


class Dense(nn.Linear):
    """A dense layer, which takes images too."""

    def forward(self, x):
        return super().forward(x.flatten(1))


def window(o):
    return {"kernel_size": pair(o["window"]), "stride": pair(o.get("stride"), 1), "padding": around(o), "ceil_mode": o.get("ceil", False)}


def maximum(o, _):
    return nn.AdaptiveMaxPool2d(1) if o.get("global") else nn.MaxPool2d(**window(o))


def average(o, _):
    if o.get("global"):
        return nn.AdaptiveAvgPool2d(1)
    return nn.AvgPool2d(**window(o), count_include_pad=o.get("count_pad", False))


def convolution(o, x):
    kernel = pair(o["kernel"])
    return nn.Conv2d(x[0].shape[1], o["filters"], kernel, pair(o.get("stride"), 1), around(o), pair(o.get("dilation"), 1),
                     o.get("groups", 1), not o.get("no_bias", False))


# What makes a layer of its options and inputs.
layers_of = {
    "conv": convolution,
    "dense": lambda o, x: Dense(x[0][0].numel(), o["out"], not o.get("no_bias", False)),
    "batch-norm": lambda o, x: nn.BatchNorm2d(x[0].shape[1], o.get("eps", 1e-5), o.get("momentum", 0.1)),
    # PyTorch divides alpha by the size.
    "lrn": lambda o, x: nn.LocalResponseNorm(o.get("size", 5), o.get("alpha", 1e-4) * (1 if o.get("alpha_over_size") else o.get("size", 5)),
                                             o.get("beta", 0.75), o.get("k", 2)),
    "max-pool": maximum,
    "average-pool": average,
    "adaptive-average-pool": lambda o, x: nn.AdaptiveAvgPool2d(pair(o["size"])),
    "relu": lambda o, x: nn.ReLU(),
    "relu6": lambda o, x: nn.ReLU6(),
    "tanh": lambda o, x: nn.Tanh(),
    "sigmoid": lambda o, x: nn.Sigmoid(),
    "dropout": lambda o, x: nn.Dropout(o.get("p", 0.5)),
    "flatten": lambda o, x: nn.Flatten(),
    "add": lambda o, x: Several(lambda x: x[0] + x[1]),
    "concat": lambda o, x: Several(lambda x: torch.cat(x, 1)),
}

class Network(nn.Module):
    """The network up to its scores: those of the outputs, then those of other losses."""

    def __init__(self, x):
        super().__init__()
        first = network["inputs"][0]["name"]
        types = {node["name"]: node["type"] for node in network["layers"]}
        reads = [i for node in network["layers"] for i in node["in"]]
        heads = [node["in"][0] for node in network["layers"] if node["name"] in network["outputs"]]
        heads += [node["in"][0] for node in network["layers"] if node["type"] == "softmax-loss"]
        self.heads = list(dict.fromkeys(heads))
        self.nodes, self.layers = [], nn.ModuleList()
        values = {first: x}
        for node in network["layers"]:
            kind, name, inputs, options = node["type"], node["name"], node["in"], node.get("options", {})
            if kind in ("softmax", "softmax-loss", "accuracy"):
                continue  # the loss, which all networks have alike here
            if kind not in layers_of:
                sys.exit(f"torch_layers.py: {name} is of the type {kind}; there are {', '.join(layers_of)}")
            layer = layers_of[kind](options, [values[i] for i in inputs]).to(place)
            layer.to(memory_format=layout)
            with torch.no_grad():
                values[name] = layer(*(values[i] for i in inputs))
            if kind in ("relu", "relu6"):  # as people write it, where nothing else reads the input
                layer.inplace = types.get(inputs[0]) in ("conv", "batch-norm", "add", "dense") and reads.count(inputs[0]) == 1
            self.layers.append(layer)
            self.nodes.append((name, kind, layer, inputs, [values[i].shape for i in inputs]))
        self.classes = values[self.heads[0]].shape[1]
        last = {i: k for k, node in enumerate(self.nodes) for i in node[3]}
        self.done = [[i for i in set(node[3]) if last[i] == k] for k, node in enumerate(self.nodes)]
        needed = {self.heads[0]}
        for name, _, _, inputs, _ in reversed(self.nodes):
            needed.update(inputs if name in needed else [])
        self.needed = needed

    def forward(self, x):
        values = {network["inputs"][0]["name"]: x}
        for (name, _, layer, inputs, _), done in zip(self.nodes, self.done):
            if self.training or name in self.needed:
                values[name] = layer(*(values[i] for i in inputs))
            for i in done:  # its memory is free for others
                values.pop(i, None)
        return [values[i] for i in self.heads] if self.training else values[self.heads[0]]


def wait():
    """Waits for the device: a GPU's work goes on after a call."""
    if place == "cuda":
        torch.cuda.synchronize()


results = []


def measure(kind, name, what, f, flops=0, images=0):
    """Adds the time of f, after a warm run."""
    f()
    samples = []
    for _ in range(runs):
        wait()
        start = time.perf_counter()
        f()
        wait()
        samples.append(time.perf_counter() - start)
    quarters = statistics.quantiles(samples, method="inclusive") if runs > 1 else samples * 3
    result = {"kind": kind, "model": model, "batch": batch, "name": name, "pass": what, "device": device,
              "threads": threads, "seconds": quarters[1], "spread": (quarters[2] - quarters[0]) / 2 / quarters[1],
              "samples": samples}
    if flops:
        result["flops"] = flops
        result["product"] = True
    if images:
        result["images"] = images
    results.append(result)


def flops(layer, y):
    if isinstance(layer, nn.Conv2d):
        return 2 * y.numel() * layer.weight[0].numel()
    if isinstance(layer, nn.Linear):
        return 2 * y.numel() * layer.in_features
    return 0


def laid(x):
    return x.contiguous(memory_format=layout) if x.dim() == 4 else x


def uniform(*shape):
    """Numbers in [-1,1), those of package bench: Knuth's multiplicative hash of the index."""
    index = torch.arange(torch.Size(shape).numel())
    return laid((((index * 2654435761) % 2**32 >> 8).double() / 2**23 - 1).float().reshape(shape).to(place))


def checksum(values):
    """Stands for values: the sum of element i times 1 + i mod 7."""
    y = values.detach().double().contiguous().flatten().cpu()
    terms = y * (1 + torch.arange(y.numel()) % 7)
    return {"sum": terms.sum().item(), "absolute": terms.abs().sum().item()}


def checksums(layer, shape):
    """Of the layer's passes on uniform input, weights and bias, with an L2 loss against uniform."""
    before = [p.detach().clone() for p in layer.parameters()]
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(uniform(*p.shape))
    x = uniform(*shape).requires_grad_()
    y = layer(x)
    dx, dw = torch.autograd.grad(y, [x, layer.weight], (y - uniform(*y.shape)).detach() / batch)
    with torch.no_grad():
        for p, old in zip(layer.parameters(), before):
            p.copy_(old)
    return {"forward": checksum(y), "backward-data": checksum(dx), "backward-filter": checksum(dw)}


def forward_only(layer, x):
    with torch.no_grad():
        layer(*x)


def measure_layers(net):
    first_input = network["inputs"][0]["name"]
    for name, kind, layer, inputs, shapes in net.nodes:
        if kind == "flatten":
            continue
        inplace = getattr(layer, "inplace", False)
        if inplace:
            layer.inplace = False  # what it reads is read again
        x = [laid(torch.rand(s, device=place) * 2 - 1) for s in shapes]
        y = layer(*x)
        work, first = flops(layer, y), len(results)
        measure("layers", name, "forward", lambda: forward_only(layer, x), work)
        leaves = [v.detach().requires_grad_() for v in x]
        out = layer(*leaves)
        dy = laid(torch.rand_like(out))
        if inputs != [first_input]:
            measure("layers", name, "backward-data",
                    lambda: torch.autograd.grad(out, leaves, dy, retain_graph=True), work)
        if work:
            measure("layers", name, "backward-filter",
                    lambda: torch.autograd.grad(out, list(layer.parameters()), dy, retain_graph=True), work)
            sums = checksums(layer, shapes[0])
            for result in results[first:]:
                result["checksum"] = sums[result["pass"]]
        if inplace:
            layer.inplace = True


def measure_steps(net, images):
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9, weight_decay=5e-4)
    loss = nn.CrossEntropyLoss()
    labels = torch.arange(batch, device=place) % min(10, net.classes)
    run = torch.compile(net) if way == "compile" else net

    def step():
        optimiser.zero_grad()
        sum(loss(scores, labels) for scores in run(images)).backward()
        optimiser.step()

    def infer():
        with torch.no_grad():
            torch.softmax(run(images), 1)

    measure("net", "step", "training", step, images=batch)
    net.eval()
    measure("net", "step", "inference", infer, images=batch)


images = laid(torch.rand(batch, *network["inputs"][0]["shape"], device=place) * 2 - 1)
net = Network(images)
if kinds in ("all", "layers"):
    measure_layers(net)
if kinds in ("all", "net"):
    measure_steps(net, images)
machine = {"cpu": "", "cores": 0, "os": "", "arch": "", "go": "", "path": "", "roofs": []}
json.dump({"machine": machine, "results": results}, sys.stdout, indent=1)
