"""Reference for what a network sees of a tile: OpenSlide, torchvision's transform on a PIL image.

Usage: preprocessing.golden.py CMU-1-Small-Region.svs > preprocessing.golden.json
"""

import json
import sys

import openslide
from torchvision import transforms

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
EVERY = 53
slide = openslide.OpenSlide(sys.argv[1])
tiles = []
for x, y, side, size in [(600, 900, 224, 224), (701, 1203, 256, 224), (400, 1500, 448, 224), (903, 777, 331, 96)]:
    transform = transforms.Compose(
        [transforms.Resize((size, size)), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )
    values = transform(slide.read_region((x, y), 0, (side, side)).convert("RGB"))
    # The outermost pixels are left out: torchvision's filter stops at the edge of the crop, a slide's does not.
    inner = values[:, 2:-2, 2:-2].flatten()[::EVERY]
    tiles.append({"x": x, "y": y, "side": side, "size": size, "values": [round(v, 4) for v in inner.tolist()]})
json.dump({"every": EVERY, "mean": MEAN, "std": STD, "tiles": tiles}, sys.stdout)
