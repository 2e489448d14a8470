"""Channel planes and associated images of real OME-TIFF and QPTIFF files by Pillow and tifffile: `python3 formats.golden.py DATA_FOLDER`.

The composite is computed here anew, in numpy, from its definition (99.9 % quantile per channel, additive colours).
"""
import hashlib
import json
import os
import sys

import numpy as np
import tifffile
from PIL import Image

DATA = os.path.join(sys.argv[1], "slides")


def page(path, index):
    image = Image.open(path)
    image.seek(index)
    return np.asarray(image)


def composite(planes, colours):
    total = np.zeros(planes[0].shape + (3,), np.float32)
    for plane, colour in zip(planes, colours):
        # The readers take the quantile over whole tiles of 256, whose padding is 0.
        height, width = plane.shape
        padded = np.zeros((-(-height // 256) * 256, -(-width // 256) * 256), plane.dtype)
        padded[:height, :width] = plane
        counts = np.cumsum(np.bincount(padded.ravel(), minlength=65536))
        white = max(1, int(np.searchsorted(counts, padded.size * 0.999)))
        share = np.minimum(1, plane.astype(np.float32) / np.float32(white))
        total += share[..., None] * np.array(colour, np.float32)
    return np.minimum(255, np.floor(total + 0.5)).astype(np.uint8)


def sha(pixels):
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def main():
    qptiff = os.path.join(DATA, "qptiff/small_vectra.qptiff")
    ome = os.path.join(DATA, "ome-tiff/multi-channel-z-series.ome.tif")
    colours = [(0, 0, 255), (0, 255, 0), (255, 255, 0)]
    ome_planes = [tifffile.TiffFile(ome).pages[channel * 5 + 2].asarray() for channel in range(3)]
    ome_planes = [np.maximum(plane, 0).astype(np.uint8) for plane in ome_planes]
    golden = {
        "qptiff": {
            "composite": sha(composite([page(qptiff, index) for index in range(3)], colours)),
            "thumbnail": sha(page(qptiff, 3)),
            "macro": sha(page(qptiff, 4)),
            "label": sha(page(qptiff, 5)),
        },
        "ome": {"composite": sha(composite(ome_planes, [(0, 0, 255), (0, 255, 0), (255, 0, 0)]))},
    }
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "formats.golden.json"), "w") as out:
        json.dump(golden, out, indent=1)
        out.write("\n")


main()
