"""Records two steps of a tiny network in PyTorch, into the folder of this file.

tiny.pth and tiny.step.pth are its state_dicts before and after, tiny.npz what
tools/interop/save_torchvision.py describes, with the loss before each step.
"""

import os

import numpy as np
import torch

RATE, MOMENTUM, DECAY = 0.1, 0.9, 1e-2


def main():
    torch.manual_seed(1)
    model = torch.nn.Sequential()
    model.add_module("conv", torch.nn.Conv2d(3, 4, 3, padding=1, bias=False))
    model.add_module("bn", torch.nn.BatchNorm2d(4))
    model.add_module("relu", torch.nn.ReLU())
    model.add_module("pool", torch.nn.MaxPool2d(2))
    model.add_module("flat", torch.nn.Flatten())
    model.add_module("fc", torch.nn.Linear(4 * 4 * 4, 5))
    model.bn.weight.data.uniform_(0.5, 1.5)
    model.bn.bias.data.normal_(0, 0.1)
    model.bn.running_mean.normal_(0, 0.1)
    model.bn.running_var.uniform_(0.5, 1.5)
    x, labels = torch.randn(4, 3, 8, 8), torch.randint(5, (4,))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny")
    torch.save(model.state_dict(), path + ".pth")
    model.eval()
    y = model(x).detach()
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    losses = []
    for _ in range(2):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
    torch.save(model.state_dict(), path + ".step.pth")
    numbers = {"x": x, "y": y, "labels": labels, "loss": losses, "rate": [RATE], "momentum": [MOMENTUM], "decay": [DECAY]}
    np.savez_compressed(path + ".npz", **{key: np.asarray(value, "float32") for key, value in numbers.items()})


if __name__ == "__main__":
    main()
