#!/usr/bin/env python3
"""Saves networks of torchvision with random weights, and what PyTorch makes of them.

    python3 tools/interop/save_torchvision.py FOLDER NAME...

Without arguments it lists the names. For each network:

    NAME.npz        x, images; y, what the network in eval mode makes of them; labels, and the
                    loss in train mode, without dropout; rate, momentum and decay of a step
    NAME.pth        a state_dict of torch.save, before the step. The weights of VGG and AlexNet
                    are in half precision, which is as exact as they are here; every second of
                    the others is in the legacy form.
    NAME.step.pth   the state_dict after one step of SGD, statistics of BatchNorm included
    NAME.dynamo.onnx, NAME.torchscript.onnx
                    the network in eval mode, as both exporters of PyTorch write it; NAME.npz has
                    onnx_x and onnx_y if it is not for x

Networks of ONNX_ALONE are exported, and nothing else: hubel does not know their modules.
googlenet_aux is GoogLeNet with auxiliary classifiers, whose losses count 0.3.

Needs torch, torchvision, onnx and onnxscript. hubel compares:

    HUBEL_TORCHVISION=FOLDER go test -v -run Torchvision ./formats/pytorch
"""

import copy
import logging
import os
import sys
import warnings

import numpy as np
import torch
import torchvision

NAMES = """alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn
resnet18 resnet34 resnet50 resnet101 resnet152 squeezenet1_0 squeezenet1_1 mobilenet_v2
densenet121 densenet161 densenet169 densenet201 googlenet googlenet_aux""".split()

ONNX_ALONE = """shufflenet_v2_x0_5 shufflenet_v2_x1_0 mobilenet_v3_small mobilenet_v3_large mnasnet0_5
mnasnet1_0 efficientnet_b0 efficientnet_v2_s resnext50_32x4d wide_resnet50_2 regnet_x_400mf
regnet_y_400mf convnext_tiny inception_v3""".split()

CLASSES = 23
RATE, MOMENTUM, DECAY = 1, 0.9, 1e-3  # a high rate, so that changes are not lost in rounding
MOST = 2e-4  # by how much PyTorch's own steps may differ
TRIES = 20


def build(name):
    """The network. Its BatchNorms have statistics that are not those of new ones.

    Behind a BatchNorm few values lie near 0, where ReLU has a kink: they are 3 deviations
    away, and 3 or more from the 6 of ReLU6. Otherwise rounding decides of some which side they
    are on, and the steps of PyTorch in float32 and in float64 differ by up to a tenth.
    """
    options = {}
    if name.startswith("googlenet"):
        options = {"init_weights": False, "aux_logits": name == "googlenet_aux"}
    elif name == "inception_v3":
        options = {"init_weights": False}
    model = torchvision.models.get_model(name.removesuffix("_aux"), weights=None, num_classes=CLASSES, **options)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1)
            module.bias.data = 3 * module.weight.data
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        elif isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                # One before a BatchNorm has no gradient but rounding: its decay must be larger.
                module.bias.data.normal_(0, 1 if name.endswith("_bn") and isinstance(module, torch.nn.Conv2d) else 0.05)
    return model


def step(model, x, labels):
    """One step in train mode, without dropout. It returns the loss before it."""
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    y = model(x)
    loss = torch.nn.functional.cross_entropy
    if isinstance(y, torch.Tensor):
        total = loss(y, labels)
    else:  # GoogLeNet with its auxiliary classifiers
        total = loss(y.logits, labels) + 0.3 * (loss(y.aux_logits1, labels) + loss(y.aux_logits2, labels))
    total.backward()
    optimiser.step()
    return total.item()


def disagreement(model, x, labels):
    """How much PyTorch's own steps differ: with and without oneDNN, of the one in float64.

    It is relative to the largest change of a tensor, the worst one.
    """
    exact = copy.deepcopy(model).double()
    step(exact, x.double(), labels)
    exact, before, worst = exact.state_dict(), model.state_dict(), 0
    for onednn in True, False:
        other = copy.deepcopy(model)
        with torch.backends.mkldnn.flags(enabled=onednn):
            step(other, x, labels)
        for key, value in other.state_dict().items():
            if value.is_floating_point():
                off, change = (value - exact[key]).abs().max(), (exact[key] - before[key]).abs().max()
                worst = max(worst, (off / change).item())
    return worst


def batch(model, name):
    """Images and labels whose step does not depend on how PyTorch rounds.

    Where a value is as near to the kink of a ReLU as rounding, it may be on either side, and
    the step is one of two. Such a batch tells nothing, and the next one is taken.
    """
    for _ in range(TRIES):
        x, labels = torch.randn(4, 3, 64, 80), torch.randint(CLASSES, (4,))
        worst = disagreement(model, x, labels)
        print(f"{name}: PyTorch's steps differ by {worst:.1e}", flush=True)
        if worst < MOST:
            return x, labels
    sys.exit(f"{name}: PyTorch's own steps differ too much on each of {TRIES} batches")


def save(folder, name):
    number = (NAMES + ONNX_ALONE).index(name)
    torch.manual_seed(number)
    model = build(name)
    large = name.startswith(("vgg", "alexnet"))
    if large:
        model = model.half().float()
    if name in NAMES:
        x, labels = batch(model, name)
    else:
        x = torch.randn(2, 3, 96, 112)
    path = os.path.join(folder, name)
    model.eval()
    with torch.no_grad():
        y = model(x)
    arrays = {"x": x.numpy(), "y": y.numpy()}
    if large:  # the older exporter has no pools to 6x6 or 7x7 of other sizes
        x_onnx = torch.randn(1, 3, 224, 224)
        with torch.no_grad():
            arrays |= {"onnx_x": x_onnx.numpy(), "onnx_y": model(x_onnx).numpy()}
    else:
        x_onnx = x
    torch.onnx.export(model, (x_onnx,), path + ".dynamo.onnx", dynamo=True, verbose=False)
    torch.onnx.export(model, (x_onnx,), path + ".torchscript.onnx", dynamo=False)
    if name in NAMES:
        state = model.state_dict()
        if large:
            state = {key: value.half() for key, value in state.items()}
        form = {"_use_new_zipfile_serialization": False} if number % 2 else {}
        torch.save(state, path + ".pth", **form)
        loss = step(model, x, labels)
        torch.save(model.state_dict(), path + ".step.pth")
        numbers = {"labels": labels.numpy(), "loss": [loss], "rate": [RATE], "momentum": [MOMENTUM], "decay": [DECAY]}
        arrays |= {key: np.asarray(value, "float32") for key, value in numbers.items()}
    np.savez(path + ".npz", **arrays)


def main():
    if len(sys.argv) == 1:
        print(*NAMES, *ONNX_ALONE)
        return
    os.makedirs(sys.argv[1], exist_ok=True)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    for name in sys.argv[2:]:
        save(sys.argv[1], name)


if __name__ == "__main__":
    main()
