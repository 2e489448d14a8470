"""What Pillow makes of a strong reduction, at once and in two steps. Run: python3 tiled-levels.golden.py"""

import json
from pathlib import Path

import numpy as np
from PIL import Image, __version__

SIDE, X0, Y0, EXTENT, OUT, STEPS, MARGIN = 2440, 440, 441, 1560, 12, 3, 10
FILTERS = {name: getattr(Image.Resampling, name.upper()) for name in ["box", "bilinear", "hamming", "bicubic", "lanczos", "nearest"]}

y, x = np.mgrid[0:SIDE, 0:SIDE]
pixels = np.stack([(x // 210 * 73 + y // 170 * 151) * 37 & 255, x * 2 & 255, y // 300 * 60 & 255], axis=2)
image = Image.fromarray(pixels.astype(np.uint8))


def flat(result):
    return np.asarray(result).reshape(-1).tolist()


def direct(resample):
    return image.resize((OUT, OUT), resample, box=(X0, Y0, X0 + EXTENT, Y0 + EXTENT))


def in_two_steps(resample):
    step = EXTENT / (OUT * STEPS)
    margin = MARGIN * step
    box = (X0 - margin, Y0 - margin, X0 + EXTENT + margin, Y0 + EXTENT + margin)
    finer = image.resize((OUT * STEPS + 2 * MARGIN,) * 2, resample, box=box)
    inner = (MARGIN, MARGIN, MARGIN + OUT * STEPS, MARGIN + OUT * STEPS)
    return finer.resize((OUT, OUT), resample, box=inner)


golden = {
    "pillow": __version__,
    "request": {"x0Px": X0, "y0Px": Y0, "widthLevel0Px": EXTENT, "heightLevel0Px": EXTENT, "outWidthPx": OUT, "outHeightPx": OUT},
    "sidePx": SIDE,
    "filters": [
        {"name": name, "direct": flat(direct(resample)), "inTwoSteps": flat(in_two_steps(resample))}
        for name, resample in FILTERS.items()
    ],
}
for entry in golden["filters"]:
    print(entry["name"], np.abs(np.subtract(entry["direct"], entry["inTwoSteps"])).max())
bicubic, bilinear = golden["filters"][3], golden["filters"][1]
print("bicubic against bilinear", np.abs(np.subtract(bicubic["direct"], bilinear["direct"])).max())
Path(__file__).with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
