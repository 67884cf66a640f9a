"""Writes the small files of this folder with the library LMDB: pip install lmdb.

python3 small.py FOLDER
"""
import os, shutil, sys, tempfile
import lmdb

folder = sys.argv[1]


def write(name, fill, compact=True):
    with tempfile.TemporaryDirectory() as there:
        with lmdb.open(there, map_size=1 << 24, max_dbs=2) as env:
            fill(env)
            with tempfile.TemporaryDirectory() as copy:
                env.copy(copy, compact=compact)
                shutil.copy(os.path.join(copy, "data.mdb"), os.path.join(folder, name + ".mdb"))


def value(i):
    """Of every length, some on pages of their own."""
    return bytes((i * 7 + j) % 251 for j in range(5000 if i == 17 else 3 * i))


def tree(env):
    """Three levels: long keys leave room for few of them in a page."""
    with env.begin(write=True) as t:
        for i in reversed(range(60)):
            t.put(b"%08d_" % i + b"k" * 470, value(i))


def flat(env):
    with env.begin(write=True) as t:
        for i in range(6):
            t.put(b"%d" % i, value(i))
    with env.begin(write=True) as t:
        t.delete(b"5")


def named(env):
    db = env.open_db(b"train\x1b")
    with env.begin(write=True, db=db) as t:
        t.put(b"a", b"b")


write("tree", tree)
write("flat", flat, compact=False)
write("empty", lambda env: None)
write("named", named)
