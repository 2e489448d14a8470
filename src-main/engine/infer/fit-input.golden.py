"""Reference for fit-input.test.ts: what torchvision's Resize and CenterCrop make of a PIL image.

Run: /usr/bin/python3 fit-input.golden.py > fit-input.golden.json
"""

import json
import sys

import numpy as np
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode as Mode

EVERY = 7
FILTERS = {
    "nearest": Mode.NEAREST,
    "box": Mode.BOX,
    "bilinear": Mode.BILINEAR,
    "hamming": Mode.HAMMING,
    "bicubic": Mode.BICUBIC,
    "lanczos": Mode.LANCZOS,
}


def image(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([(x * 37 + y * 13) % 256, (x * y) % 256, ((x // 5 + y // 7) % 2) * 255], -1).astype(np.uint8)


cases = []
for name, mode in FILTERS.items():
    # width, height, input width, input height, side before the crop
    for width, height, w, h, crop in [
        (70, 50, 24, 20, None),
        (31, 43, 64, 48, None),
        (48, 80, 32, 32, 37),
        (90, 61, 28, 28, 33),
        (40, 40, 32, 32, 64),
        (32, 57, 32, 32, 32),
        (24, 20, 24, 20, None),
    ]:
        steps = (
            [transforms.Resize((h, w), interpolation=mode)]
            if crop is None
            else [transforms.Resize(crop, interpolation=mode), transforms.CenterCrop((h, w))]
        )
        out = np.asarray(transforms.Compose(steps)(Image.fromarray(image(width, height))))
        assert out.shape == (h, w, 3)
        cases.append(
            {
                "interpolation": name,
                "cropFromPx": crop,
                "image": [width, height],
                "input": [w, h],
                "values": out.flatten()[::EVERY].tolist(),
            }
        )
json.dump({"every": EVERY, "cases": cases}, sys.stdout, separators=(",", ":"))
