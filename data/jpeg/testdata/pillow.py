"""Writes JPEG files of many kinds to standard output, each with the pixels that
Pillow (libjpeg-turbo) makes of it: a line of JSON, then the file, then RGB.

Pillow writes the first file of a kind. jpegtran and cjpeg (Debian's
libjpeg-turbo-progs) make of it what Pillow cannot: scans, restarts and other
sampling. Markers and component identifiers are changed in the bytes.
"""
import io
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile

import PIL
from PIL import Image


def picture(mode, w, h):
    """Slow waves: the ways to enlarge chroma hardly differ on them."""
    def band(f, g, phase):
        m = Image.new("L", (w, h))
        m.putdata([int(127.5 + 110 * math.sin(f * x + g * y + phase)) for y in range(h) for x in range(w)])
        return m
    bands = [band(.025, .015, 0), band(-.02, .025, 1), band(.01, -.03, 2), band(.015, .01, 3)]
    return Image.merge(mode, bands[:len(mode)]) if len(mode) > 1 else bands[0]


def tool(name, args, data):
    r = subprocess.run([name, *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if r.returncode:
        raise RuntimeError("%s %s: %s" % (name, " ".join(args), r.stderr.decode()), open(args[-1]).read() if os.path.exists(args[-1]) else "")
    return r.stdout


def with_scans(data, script, restart):
    args = ["-restart", "%dB" % restart] if restart else []
    if script is None:
        return tool("jpegtran", args, data) if args else data
    with tempfile.NamedTemporaryFile("w", suffix=".scans") as f:
        f.write(script)
        f.flush()
        return tool("jpegtran", args + ["-scans", f.name], data)


def segments(data):
    """(marker, bytes of the segment with the data that follows a scan's head)."""
    out, at = [], 2
    while data[at + 1] != 0xd9:
        marker, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2:at + 4], "big")
        if marker == 0xda:
            while data[end] != 0xff or data[end + 1] == 0 or 0xd0 <= data[end + 1] <= 0xd7:
                end += 1
        out.append((marker, bytearray(data[at:end])))
        at = end
    return out


JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
SHORT = b"\xff\xe0\x00\x09JFIF\0\x01\x01"  # too short to be one


def adobe(transform):
    return b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


MARKERS = {
    "none": b"", "jfif": JFIF, "short": SHORT,
    "adobe0": adobe(0), "adobe1": adobe(1), "adobe2": adobe(2),
    "jfif,adobe0": JFIF + adobe(0), "adobe0,jfif": adobe(0) + JFIF, "jfif,adobe1": JFIF + adobe(1),
    "adobe1,adobe0": adobe(1) + adobe(0),
}


def rewritten(data, markers, ids=None, dht=True):
    out = b"\xff\xd8" + markers
    old = None
    for marker, s in segments(data):
        if marker in (0xe0, 0xee) or marker == 0xc4 and not dht:
            continue
        if marker in (0xc0, 0xc1, 0xc2):
            old = [s[10 + 3 * i] for i in range(s[9])]
            for i in range(s[9]):
                s[10 + 3 * i] = (ids or old)[i]
        if marker == 0xda:
            for i in range(s[4]):
                s[5 + 2 * i] = (ids or old)[old.index(s[5 + 2 * i])]
        out += s
    return out + b"\xff\xd9"


def send(name, data):
    m = Image.open(io.BytesIO(data))
    rgb = m.convert("RGB")
    head = {"name": name, "bytes": len(data), "width": rgb.width, "height": rgb.height}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + data + rgb.tobytes())


def saved(m, **options):
    b = io.BytesIO()
    m.save(b, "JPEG", quality=90, **options)
    return b.getvalue()


# Of each component: across x down.
SAMPLING = [
    "1x1,1x1,1x1", "2x1,1x1,1x1", "2x2,1x1,1x1", "1x2,1x1,1x1", "4x1,1x1,1x1", "4x2,1x1,1x1", "1x4,1x1,1x1",
    "3x1,1x1,1x1", "1x3,1x1,1x1", "3x2,1x1,1x1", "4x1,2x1,1x1", "2x2,2x1,1x2", "2x2,1x2,2x1",
    "1x1,2x2,1x1", "1x1,2x1,2x1", "1x1,1x1,4x2", "2x1,1x2,1x1",
]
# No interleaved scan can hold these: an MCU would have more than 10 blocks.
LARGE = ["2x2,2x2,2x2", "4x4,2x2,1x1", "3x3,1x1,3x1", "4x4,4x4,4x4"]
SCANS = {
    "1": None,
    "3": "0;1;2;", "mixed": "0;1 2;", "mixed2": "2;0 1;",
    "spectral": "0 1 2:0-0,0,0;0:1-63,0,0;1:1-63,0,0;2:1-63,0,0;",
    "bits": "0:0-0,0,2;1 2:0-0,0,1;0:1-5,0,3;2:1-63,0,1;1:1-63,0,0;0:6-63,0,3;0:1-63,3,2;0 1 2:0-0,0,0;"
            .replace("0 1 2:0-0,0,0;", "0:0-0,2,1;0:1-63,2,1;0:1-63,1,0;0 1 2:0-0,1,0;2:1-63,1,0;"),
}


def have(name):
    return any(os.access(os.path.join(p, name), os.X_OK) for p in os.environ.get("PATH", "").split(os.pathsep))


def main():
    tools = have("jpegtran") and have("cjpeg")
    if not tools:
        print("without jpegtran and cjpeg (libjpeg-turbo-progs): no scans, restarts and odd sampling", file=sys.stderr)
    ids = {"123": [1, 2, 3], "RGB": list(b"RGB"), "012": [0, 1, 2], "rgb": list(b"rgb")}
    for w, h in [(67, 45), (1, 1), (16, 33)]:
        rgb = picture("RGB", w, h)
        files = {"%s,%s" % (s, p): saved(rgb, subsampling=i, progressive=p)
                 for i, s in enumerate(SAMPLING[:3]) for p in (False, True)}
        if tools:
            ppm = io.BytesIO()
            rgb.save(ppm, "PPM")
            with tempfile.NamedTemporaryFile("w", suffix=".scans") as f:
                f.write("0;1;2;")
                f.flush()
                for s, large in [(s, False) for s in SAMPLING] + [(s, True) for s in LARGE]:
                    args = ["-quality", "90", "-sample", s] + (["-scans", f.name] if large else [])
                    base = tool("cjpeg", args, ppm.getvalue())
                    for (scan, script), restart in itertools.product(SCANS.items(), (0, 1, 3)):
                        if large and (script is None or " " in script):
                            continue
                        files["%s,scans=%s,restart=%d" % (s, scan, restart)] = with_scans(base, script, restart)
        for name, data in files.items():
            name = "%dx%d,%s" % (w, h, name)
            send(name, data)
            send(name + ",comment", rewritten(data, b"\xff\xff\xff\xfe\x00\x03x"))
            if w == 67:
                for (m, marker), (i, id3) in itertools.product(MARKERS.items(), ids.items()):
                    send("%s,%s,%s" % (name, m, i), rewritten(data, marker, id3))
            if "progressive" not in name and "True" not in name and ("scans=1" in name or "False" in name):
                if not tools or "restart" not in name:
                    send(name + ",no tables", rewritten(data, JFIF, dht=False))
        grey = saved(picture("L", w, h))
        for (scan, script), restart in itertools.product({"1": None, "bits": "0:0-0,0,1;0:1-63,0,2;0:1-63,2,1;0:0-0,1,0;0:1-63,1,0;"}.items(), (0, 2)):
            if tools or script is None and not restart:
                send("%dx%d,grey,scans=%s,restart=%d" % (w, h, scan, restart), with_scans(grey, script, restart))
        for i, p in itertools.product((0, 1, 2), (False, True)):
            cmyk = saved(picture("CMYK", w, h), subsampling=i, progressive=p)
            scripts = {"as written": None}
            if tools:
                scripts["4"] = "3;0;1;2;"
                scripts["mixed"] = "0 1;2 3;"
            for (scan, script), restart in itertools.product(scripts.items(), (0, 2) if tools else (0,)):
                data = with_scans(cmyk, script, restart)
                for m, marker in MARKERS.items():
                    for k in ([1, 2, 3, 4], list(b"CMYK")):
                        send("%dx%d,cmyk,%d,%s,scans=%s,restart=%d,%s,%s" % (w, h, i, p, scan, restart, m, bytes(k)), rewritten(data, marker, k))
    print("Pillow %s" % PIL.__version__, file=sys.stderr)


main()
