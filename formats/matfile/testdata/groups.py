"""Writes groups.mat, of version 7.3: ten structures, each with ten fields that are all the next.

python3 groups.py FOLDER
"""
import os, sys
import h5py, numpy as np

path = os.path.join(sys.argv[1], "groups.mat")
with h5py.File(path, "w", userblock_size=512) as f:
    groups = [f.create_group("s%d" % i) for i in range(10)]
    for g in groups:
        g.attrs["MATLAB_class"] = np.bytes_("struct")
    for a, b in zip(groups, groups[1:]):
        for k in range(10):
            a["f%d" % k] = b
with open(path, "r+b") as f:
    f.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
