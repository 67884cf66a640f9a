"""Makes pictures of many kinds in a folder, then writes what Pillow sees in each
file of the folder, turned as Exif says, without alpha, to FILE.ppm."""
import math, os, sys
from PIL import Image, ImageOps

folder = sys.argv[1]
W, H = 61, 47


def save(name, m, **options):
    m.save(os.path.join(folder, name), **options)


def wave(x, y, fx, fy):
    return int(128 + 100 * math.sin(fx * x + fy * y))


colour, alpha = Image.new("RGB", (W, H)), Image.new("L", (W, H))
for y in range(H):
    for x in range(W):
        colour.putpixel((x, y), (wave(x, y, 0.05, 0.02), wave(x, y, 0.02, 0.06), wave(x, y, 0.03, -0.04)))
        alpha.putpixel((x, y), min(255, 5 * (x + y) // 2))
grey, bits = colour.convert("L"), colour.convert("1")
clear = colour.copy()
clear.putalpha(alpha)
palette = colour.quantize(100)
few = colour.quantize(11)
kinds = {"1": bits, "L": grey, "P": palette, "few": few, "RGB": colour, "RGBA": clear}


def exif(orientation):
    e = Image.Exif()
    e[0x0112] = orientation
    return e


for name, m in kinds.items():
    save(f"{name}.bmp", m)
    for interlace in (0, 1):
        if name in ("L", "P", "few", "RGB", "1"):
            save(f"{name}-{interlace}.gif", m, interlace=interlace)
    for compression in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"):
        for rows in (1, 16, 1000):
            save(f"{name}-{compression}-{rows}.tif", m, compression=compression, tiffinfo={278: rows})
for name in ("L", "RGB", "RGBA"):
    for compression in ("tiff_lzw", "tiff_adobe_deflate"):
        save(f"{name}-{compression}-difference.tiff", kinds[name], compression=compression, tiffinfo={317: 2})
for compression in ("group3", "group4"):
    save(f"1-{compression}.tif", bits, compression=compression)
multiplied = Image.frombytes("RGBA", (W, H), clear.convert("RGBa").tobytes())
save("multiplied.tif", multiplied)
with open(os.path.join(folder, "multiplied.tif"), "r+b") as f:
    tiff = f.read()
    assert tiff.count(b"\x52\x01\x03\x00\x01\x00\x00\x00\x02") == 1  # the kind of its alpha
    f.seek(tiff.index(b"\x52\x01\x03\x00") + 8)
    f.write(b"\x01")
sixteen = Image.new("I;16", (W, H))
for y in range(H):
    for x in range(W):
        sixteen.putpixel((x, y), 257 * wave(x, y, 0.05, 0.02) + 3)
save("I16.tif", sixteen)
save("I16.png", sixteen)

save("transparent.gif", palette, transparency=palette.getpixel((W // 2, H // 2)))
save("animated.gif", palette, save_all=True, append_images=[palette.transpose(0)])
for quality in (50, 90):
    save(f"lossy-{quality}.webp", colour, quality=quality)
    save(f"lossy-{quality}-alpha.webp", clear, quality=quality)
save("lossless.webp", colour, lossless=True)
save("lossless-alpha.webp", clear, lossless=True, exact=True)
save("lossless-palette.webp", few.convert("RGB"), lossless=True)
save("lossless-two.webp", bits.convert("RGB"), lossless=True)

for orientation in range(1, 9):
    save(f"turned-{orientation}.jpg", colour, exif=exif(orientation), quality=95, subsampling=0)
    save(f"turned-{orientation}.png", colour, exif=exif(orientation))
    save(f"turned-{orientation}.tif", colour, exif=exif(orientation))
    save(f"turned-{orientation}.webp", colour, exif=exif(orientation), lossless=True)

for name in sorted(os.listdir(folder)):
    m = Image.open(os.path.join(folder, name))
    m.load()
    if m.format != "TIFF":  # which load has turned
        m = ImageOps.exif_transpose(m)
    if m.mode.startswith("I"):  # 16 bits, which convert would cut off at 255
        m = m.convert("I").point(lambda v: v * (1 / 256) + 0).convert("L")
    m.convert("RGB").save(os.path.join(folder, name + ".ppm"))
