"""Colours through ICC profiles by Pillow's ImageCms (LittleCMS, relative colorimetric and perceptual):
`python3 icc.golden.py DATA_FOLDER`. The wide-gamut profile is built here, so the test needs no data."""
import base64
import io
import json
import os
import struct
import sys

import numpy as np
import tifffile
from PIL import Image, ImageCms

DATA = os.path.join(sys.argv[1], "slides")


def slide_profile(name):
    tag = tifffile.TiffFile(os.path.join(DATA, name)).pages[0].tags[34675]
    return bytes(tag.value)


def s15(value):
    return struct.pack(">i", round(value * 65536))


def wide_gamut():
    """A matrix profile with AdobeRGB's primaries (adapted to D50) and gamma 2.2, version 2.1."""
    tags = {
        b"desc": b"desc" + b"\0" * 4 + struct.pack(">I", 5) + b"wide\0" + b"\0" * 78,
        b"cprt": b"text" + b"\0" * 4 + b"none\0",
        b"wtpt": b"XYZ " + b"\0" * 4 + s15(0.9642) + s15(1.0) + s15(0.8249),
        b"rXYZ": b"XYZ " + b"\0" * 4 + s15(0.60974) + s15(0.31111) + s15(0.01947),
        b"gXYZ": b"XYZ " + b"\0" * 4 + s15(0.20528) + s15(0.62567) + s15(0.06087),
        b"bXYZ": b"XYZ " + b"\0" * 4 + s15(0.14919) + s15(0.06322) + s15(0.74457),
    }
    for channel in (b"rTRC", b"gTRC", b"bTRC"):
        tags[channel] = b"curv" + b"\0" * 4 + struct.pack(">IH", 1, round(2.2 * 256))
    at = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        value += b"\0" * (-len(value) % 4)
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value
    header = struct.pack(">I4sI4s4s4s12s4s", at + len(body), b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ", b"\0" * 12, b"acsp")
    header += b"\0" * (68 - len(header)) + s15(0.9642) + s15(1.0) + s15(0.8249)
    return header + b"\0" * (128 - len(header)) + table + body


def main():
    rng = np.random.default_rng(5)
    colours = rng.integers(0, 256, (200, 1, 3), dtype=np.uint8)
    image = Image.fromarray(colours)
    srgb = ImageCms.createProfile("sRGB")
    golden = {"colours": colours.ravel().tolist(), "profiles": {}}
    for name in ["openslide-fixtures/boxes.tiff", "wide gamut"]:
        profile = wide_gamut() if name == "wide gamut" else slide_profile(name)
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        out = ImageCms.profileToProfile(image, source, srgb, renderingIntent=0, outputMode="RGB")
        golden["profiles"][name] = {
            "profile": base64.b64encode(profile).decode(),
            "srgb": np.asarray(out).ravel().tolist(),
        }
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "icc.golden.json"), "w") as out:
        json.dump(golden, out)
        out.write("\n")


main()
