#!/usr/bin/env python3
"""Loads a safetensors file that hubel has written into a network of torchvision.

    python3 tools/interop/load_torchvision.py FOLDER NAME

FOLDER/NAME.pt.safetensors must have all names and no others, the values of FOLDER/NAME.pth,
and give the outputs of FOLDER/NAME.npz. save_torchvision.py has written the latter two.
"""

import os
import sys

import numpy as np
import safetensors.torch
import torch

from save_torchvision import build


def main():
    path = os.path.join(*sys.argv[1:])
    model = build(sys.argv[2])
    state = safetensors.torch.load_file(path + ".pt.safetensors")
    model.load_state_dict(state, strict=True)
    for key, want in torch.load(path + ".pth", weights_only=True).items():
        if not torch.equal(state[key], want.to(state[key].dtype)):
            sys.exit(f"{sys.argv[2]}: {key} has other values than were saved")
    recorded = np.load(path + ".npz")
    model.eval()
    with torch.no_grad():
        y = model(torch.from_numpy(recorded["x"])).numpy()
    off = np.abs(y - recorded["y"]).max() / np.abs(recorded["y"]).max()
    print(f"{sys.argv[2]}: load_state_dict takes {len(state)} tensors; outputs are off by {off:.1e}")
    if not off <= 1e-5:
        sys.exit("the outputs are others")


if __name__ == "__main__":
    main()
