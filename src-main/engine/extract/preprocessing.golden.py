"""Reference for what a network sees of a tile: OpenSlide, torchvision's transform on a PIL image.

Usage: preprocessing.golden.py CMU-1-Small-Region.svs > preprocessing.golden.json
"""

import json
import sys

import openslide
from torchvision import transforms
from torchvision.transforms import InterpolationMode as Mode

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
EVERY = 53
slide = openslide.OpenSlide(sys.argv[1])
tiles = []
# Where a card does not say how: stretched, bilinear. A crop takes the middle of the tile resized to `crop`.
for x, y, side, size, crop, mode in [
    (600, 900, 224, 224, None, None),
    (701, 1203, 256, 224, None, None),
    (400, 1500, 448, 224, None, None),
    (903, 777, 331, 96, None, None),
    (701, 1203, 256, 224, 256, "bilinear"),
    (400, 1500, 448, 224, 256, "bicubic"),
    (701, 1203, 256, 224, 235, "bicubic"),
    (903, 777, 331, 96, None, "lanczos"),
    (903, 777, 331, 224, 257, "box"),
    (513, 1011, 300, 128, None, "nearest"),
]:
    filter = Mode(mode or "bilinear")
    resize = (
        [transforms.Resize((size, size), interpolation=filter)]
        if crop is None
        else [transforms.Resize(crop, interpolation=filter), transforms.CenterCrop(size)]
    )
    transform = transforms.Compose([*resize, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    values = transform(slide.read_region((x, y), 0, (side, side)).convert("RGB"))
    # The outermost pixels are left out: torchvision's filter stops at the edge of the crop, a slide's does not.
    border = 6 if mode == "lanczos" else 2
    inner = values[:, border:-border, border:-border].flatten()[::EVERY]
    tile = {"x": x, "y": y, "side": side, "size": size, "crop": crop, "mode": mode, "border": border}
    tiles.append({**tile, "values": [round(v, 4) for v in inner.tolist()]})
json.dump({"every": EVERY, "mean": MEAN, "std": STD, "tiles": tiles}, sys.stdout)
