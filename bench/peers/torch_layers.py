"""Times PyTorch on the layers of AlexNet or LeNet, or on whole steps of it.

    torch_layers.py all|layers|net MODEL BATCH RUNS THREADS [cuda] > torch.json

The result is a report as bench writes it; names and passes are bench's. On a
GPU it computes in float32, without TF32.
"""
import json
import statistics
import sys
import time

import torch
from torch import nn

kinds, model, batch, runs, threads = *sys.argv[1:3], *map(int, sys.argv[3:6])
place = sys.argv[6] if len(sys.argv) > 6 else "cpu"
device = "pytorch-" + torch.__version__.split("+")[0]
torch.set_num_threads(threads)
if place == "cuda":
    device, threads = device + "-cuda", 0
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
torch.manual_seed(1)


def alexnet():
    """AlexNet of models/alexnet.go: two groups, normalisation before pooling."""
    def norm():
        return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)  # PyTorch divides alpha by the size

    def pool():
        return nn.MaxPool2d(3, 2)

    return (3, 227, 227), 1000, [
        ("conv1", nn.Conv2d(3, 96, 11, 4)), ("relu1", nn.ReLU()), ("norm1", norm()), ("pool1", pool()),
        ("conv2", nn.Conv2d(96, 256, 5, 1, 2, groups=2)), ("relu2", nn.ReLU()), ("norm2", norm()), ("pool2", pool()),
        ("conv3", nn.Conv2d(256, 384, 3, 1, 1)), ("relu3", nn.ReLU()),
        ("conv4", nn.Conv2d(384, 384, 3, 1, 1, groups=2)), ("relu4", nn.ReLU()),
        ("conv5", nn.Conv2d(384, 256, 3, 1, 1, groups=2)), ("relu5", nn.ReLU()), ("pool5", pool()),
        ("flatten", nn.Flatten()),
        ("fc6", nn.Linear(9216, 4096)), ("relu6", nn.ReLU()), ("drop6", nn.Dropout(0.5)),
        ("fc7", nn.Linear(4096, 4096)), ("relu7", nn.ReLU()), ("drop7", nn.Dropout(0.5)),
        ("fc8", nn.Linear(4096, 1000)),
    ]


def lenet():
    """Caffe's LeNet of models/lenet.go."""
    return (1, 28, 28), 10, [
        ("conv1", nn.Conv2d(1, 20, 5)), ("pool1", nn.MaxPool2d(2, 2, ceil_mode=True)),
        ("conv2", nn.Conv2d(20, 50, 5)), ("pool2", nn.MaxPool2d(2, 2, ceil_mode=True)),
        ("flatten", nn.Flatten()),
        ("ip1", nn.Linear(800, 500)), ("relu1", nn.ReLU()), ("ip2", nn.Linear(500, 10)),
    ]


known = {"alexnet": alexnet, "lenet": lenet}
if model not in known:
    sys.exit(f"torch_layers.py: {model} is unknown; there are {', '.join(known)}")
shape, classes, layers = known[model]()
for _, layer in layers:
    layer.to(place)
results = []


def wait():
    """Waits for the device: a GPU's work goes on after a call."""
    if place == "cuda":
        torch.cuda.synchronize()


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


def uniform(*shape):
    """Numbers in [-1,1), those of package bench: Knuth's multiplicative hash of the index."""
    index = torch.arange(torch.Size(shape).numel())
    return (((index * 2654435761) % 2**32 >> 8).double() / 2**23 - 1).float().reshape(shape).to(place)


def checksum(values):
    """Stands for values: the sum of element i times 1 + i mod 7."""
    y = values.detach().double().flatten().cpu()
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
        layer(x)


def measure_layers():
    x = torch.rand(batch, *shape, device=place) * 2 - 1
    for i, (name, layer) in enumerate(layers):
        y = layer(x)
        work = flops(layer, y)
        if name != "flatten":
            first = len(results)
            measure("layers", name, "forward", lambda: forward_only(layer, x), work)
            leaf = x.detach().requires_grad_()
            out = layer(leaf)
            dy = torch.rand_like(out)
            if i > 0:
                measure("layers", name, "backward-data",
                        lambda: torch.autograd.grad(out, [leaf], dy, retain_graph=True), work)
            if work:
                measure("layers", name, "backward-filter",
                        lambda: torch.autograd.grad(out, list(layer.parameters()), dy, retain_graph=True), work)
                sums = checksums(layer, x.shape)
                for result in results[first:]:
                    result["checksum"] = sums[result["pass"]]
        x = y.detach()


def measure_steps():
    net = nn.Sequential(*(layer for _, layer in layers))
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9, weight_decay=5e-4)
    loss = nn.CrossEntropyLoss()
    images, labels = torch.rand(batch, *shape, device=place) * 2 - 1, torch.arange(batch, device=place) % 10

    def step():
        optimiser.zero_grad()
        loss(net(images), labels).backward()
        optimiser.step()

    def infer():
        with torch.no_grad():
            torch.softmax(net(images), 1)

    measure("net", "step", "training", step, images=batch)
    net.eval()
    measure("net", "step", "inference", infer, images=batch)


if kinds in ("all", "layers"):
    measure_layers()
if kinds in ("all", "net"):
    measure_steps()
machine = {"cpu": "", "cores": 0, "os": "", "arch": "", "go": "", "path": "", "roofs": []}
json.dump({"machine": machine, "results": results}, sys.stdout, indent=1)
