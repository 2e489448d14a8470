"""Golden values of real slides from OpenSlide 3.4.1 (openslide-python) and Pillow.

Run with the interpreter that has openslide and Pillow: `python3 slides.golden.py DATA_FOLDER`. Writes
slides.golden.json beside itself: properties, regions (composited on white, SHA-256 of their RGB bytes, or the bytes of
a few small ones), associated images and Pillow's antialiased resampling of them.
"""
import hashlib
import json
import os
import random
import sys

import openslide
from PIL import Image

DATA = os.path.join(sys.argv[1], "slides")
FILES = [
    "aperio/CMU-1-Small-Region.svs",
    "aperio/TCGA-CR-7395-01A-01-TS1.svs",
    "derived/CMU-1-Small-Region_bigtiff-jpeg.tif",
    "derived/CMU-1-Small-Region_generic-pyramid.tif",
    "generic-tiff/large_image_yb10kx5k.zstd.tiff",
    "openslide-fixtures/boxes.tiff",
    "openslide-fixtures/small.svs",
    "hamamatsu/test3-DAPI-2-(387).ndpi",
]
# OpenSlide derives further NDPI levels by scaled JPEG decoding; these many have a directory of their own.
STORED_LEVELS = {"hamamatsu/test3-DAPI-2-(387).ndpi": 4}


def on_white(image):
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    white.alpha_composite(image)
    return white.convert("RGB")


def sha(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def level_region(slide, level, x, y, w, h):
    """Native pixels: OpenSlide's arguments are level-0 coordinates, so start from the level's own origin."""
    whole = slide.level_dimensions[level]
    image = Image.new("RGB", (w, h), (255, 255, 255))
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + w, whole[0]), min(y + h, whole[1])
    if right > left and bottom > top:
        # Reading from 0, 0 avoids the rounding of level-0 coordinates at levels with a fractional downsample.
        if slide.level_downsamples[level] == 1.0:
            part = slide.read_region((left, top), level, (right - left, bottom - top))
        else:
            part = slide.read_region((0, 0), level, (right, bottom)).crop((left, top, right, bottom))
        image.paste(on_white(part), (left - x, top - y))
    return image


def regions_of(level, width, height, tile, rng):
    side = 96
    yield 0, 0, side, side
    yield width - side, height - side, side, side
    yield width - side // 2, height - side // 2, side, side
    yield -side // 2, -side // 2, side, side
    yield tile - side // 2, tile - side // 2, side, side
    for _ in range(4):
        yield rng.randrange(max(1, width - side)), rng.randrange(max(1, height - side)), side, side
    yield rng.randrange(max(1, width - side)), rng.randrange(max(1, height - side)), 300, 200


def main():
    golden = {}
    for name in FILES:
        slide = openslide.OpenSlide(os.path.join(DATA, name))
        rng = random.Random(7)
        regions = []
        stored = STORED_LEVELS.get(name, slide.level_count)
        for level, (width, height) in enumerate(slide.level_dimensions[:stored]):
            tile = int(slide.properties.get("openslide.level[%d].tile-width" % level, 256))
            for x, y, w, h in regions_of(level, width, height, tile, rng):
                image = level_region(slide, level, x, y, w, h)
                entry = {"level": level, "x": x, "y": y, "w": w, "h": h, "sha256": sha(image)}
                regions.append(entry)
        golden[name] = {
            "vendor": slide.detect_format(os.path.join(DATA, name)),
            "levels": [list(size) for size in slide.level_dimensions[:stored]],
            "downsamples": list(slide.level_downsamples[:stored]),
            "mpp": slide.properties.get("openslide.mpp-x"),
            "objective": slide.properties.get("openslide.objective-power"),
            "associated": {
                key: {"size": list(image.size), "sha256": sha(on_white(image))}
                for key, image in slide.associated_images.items()
            },
            "regions": regions,
        }

    slide = openslide.OpenSlide(os.path.join(DATA, FILES[0]))
    whole = on_white(slide.read_region((0, 0), 0, slide.dimensions))
    resampled = []
    rng = random.Random(11)
    for scale, out in [(0.5 / 0.499, 224), (1.0 / 0.499, 224), (0.25 / 0.499, 96), (4.3, 120), (17.0, 64)]:
        for _ in range(3):
            # Pillow takes its box as 32-bit floats: 64ths of a pixel survive that exactly.
            extent = round(out * scale * 64) / 64
            x = round(rng.uniform(20, slide.dimensions[0] - extent - 20) * 64) / 64
            y = round(rng.uniform(20, slide.dimensions[1] - extent - 20) * 64) / 64
            image = whole.resize((out, out), Image.BILINEAR, box=(x, y, x + extent, y + extent))
            resampled.append({"x": x, "y": y, "extent": extent, "out": out, "sha256": sha(image)})
    golden["resampled"] = {"file": FILES[0], "pillow": Image.__version__, "regions": resampled}
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "slides.golden.json"), "w") as out:
        json.dump(golden, out, indent=1)
        out.write("\n")


main()
