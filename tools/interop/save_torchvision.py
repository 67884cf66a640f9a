#!/usr/bin/env python3
"""Saves networks of torchvision with random weights, an input and their outputs.

    python3 tools/interop/save_torchvision.py FOLDER [NAME...]

For each network: FOLDER/NAME.pth, a state_dict of torch.save, NAME.x.npy, images, and
NAME.y.npy, what the network in eval mode makes of them. The weights of VGG and AlexNet are
saved in half precision, which is as exact as they are here; every second of the others is in
the legacy form.

Needs torch and torchvision. hubel compares:

    HUBEL_TORCHVISION=FOLDER go test -v -run Torchvision ./formats/pytorch
"""

import os
import sys

import numpy as np
import torch
import torchvision

NAMES = """alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn
resnet18 resnet34 resnet50 resnet101 resnet152 squeezenet1_0 squeezenet1_1 mobilenet_v2
densenet121 densenet161 densenet169 densenet201 googlenet""".split()

CLASSES = 23


def build(name):
    """The network, with statistics that are not those of new BatchNorms."""
    options = {"init_weights": False} if name == "googlenet" else {}
    model = torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **options)
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


def save(folder, name, number):
    torch.manual_seed(number)
    model = build(name)
    large = name.startswith(("vgg", "alexnet"))
    if large:
        model = model.half().float()
    x = torch.randn(2, 3, 112, 96)
    model.eval()
    with torch.no_grad():
        y = model(x)
    state = model.state_dict()
    if large:
        state = {key: value.half() for key, value in state.items()}
    form = {"_use_new_zipfile_serialization": False} if number % 2 else {}
    path = os.path.join(folder, name)
    torch.save(state, path + ".pth", **form)
    np.save(path + ".x.npy", x.numpy())
    np.save(path + ".y.npy", y.numpy())
    print(f"{name}: {y.abs().max().item():.4g} at most")


def main():
    folder, names = sys.argv[1], sys.argv[2:] or NAMES
    os.makedirs(folder, exist_ok=True)
    torch.set_num_threads(1)
    for name in names:
        save(folder, name, NAMES.index(name))


if __name__ == "__main__":
    main()
