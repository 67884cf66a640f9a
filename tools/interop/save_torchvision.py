#!/usr/bin/env python3
"""Saves networks of torchvision with random weights, and what PyTorch makes of them.

    python3 tools/interop/save_torchvision.py FOLDER [NAME...]

For each network:

    NAME.pth        a state_dict of torch.save, before training. The weights of VGG and AlexNet
                    are in half precision, which is as exact as they are here; every second of
                    the others is in the legacy form.
    NAME.npz        x, images; y, what the network in eval mode makes of them; labels, and the
                    loss in train mode, without dropout; rate, momentum and decay
    NAME.step.pth   the state_dict after one step of SGD with them, statistics of BatchNorm
                    included
    NAME.EXPORTER.onnx  the network in eval mode, as both exporters of PyTorch write it

googlenet_aux is GoogLeNet with auxiliary classifiers, whose losses count 0.3. Needs torch, torchvision, onnx and onnxscript. hubel compares:

    HUBEL_TORCHVISION=FOLDER go test -v -run Torchvision ./formats/pytorch
"""

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

CLASSES = 23
RATE, MOMENTUM, DECAY = 0.01, 0.9, 5e-4


def build(name):
    """The network, with statistics that are not those of new BatchNorms."""
    options = {}
    if name.startswith("googlenet"):
        options = {"init_weights": False, "aux_logits": name == "googlenet_aux"}
    model = torchvision.models.get_model(name.removesuffix("_aux"), weights=None, num_classes=CLASSES, **options)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        elif isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.05)
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


def export(model, x, path):
    """Writes ONNX with the exporter of today and with the one before."""
    torch.onnx.export(model, (x,), path + ".dynamo.onnx", dynamo=True, verbose=False)
    torch.onnx.export(model, (x,), path + ".torchscript.onnx", dynamo=False)


def save(folder, name, number):
    torch.manual_seed(number)
    model = build(name)
    large = name.startswith(("vgg", "alexnet"))
    if large:
        model = model.half().float()
    x = torch.randn(4, 3, 112, 96)
    labels = torch.randint(CLASSES, (4,))
    path = os.path.join(folder, name)
    model.eval()
    with torch.no_grad():
        y = model(x)
    export(model, x, path)
    state = model.state_dict()
    if large:
        state = {key: value.half() for key, value in state.items()}
    form = {"_use_new_zipfile_serialization": False} if number % 2 else {}
    torch.save(state, path + ".pth", **form)
    loss = step(model, x, labels)
    torch.save(model.state_dict(), path + ".step.pth")
    np.savez(path + ".npz", x=x.numpy(), y=y.numpy(), labels=labels.numpy().astype("float32"), loss=np.float32([loss]),
             rate=np.float32([RATE]), momentum=np.float32([MOMENTUM]), decay=np.float32([DECAY]))
    print(f"{name}: {y.abs().max().item():.4g} at most, loss {loss:.4g}", flush=True)


def main():
    folder, names = sys.argv[1], sys.argv[2:] or NAMES
    os.makedirs(folder, exist_ok=True)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    for name in names:
        save(folder, name, NAMES.index(name))


if __name__ == "__main__":
    main()
