"""Writes links.h5: links in a ring, and links to links.

python3 links.py FOLDER
"""
import os, sys
import h5py

with h5py.File(os.path.join(sys.argv[1], "links.h5"), "w") as f:
    f["x"] = 7
    f["ring"], f["back"], f["self"] = h5py.SoftLink("/back"), h5py.SoftLink("/ring"), h5py.SoftLink("self")
    f["n0"] = h5py.SoftLink("/x")
    for i in range(1, 20):  # a link to n links
        f["n%d" % i] = h5py.SoftLink("n%d" % (i - 1))
    f.create_group("g")["up"] = h5py.SoftLink("/g/up/up")  # twice as many with each step
    f["wide"] = h5py.SoftLink("wide/wide/wide")
