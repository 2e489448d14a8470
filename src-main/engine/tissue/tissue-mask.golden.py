"""Tile decisions of a scikit-image Otsu pipeline on the real slides: python3 tissue-mask.golden.py DATA > tissue-mask.golden.json

Pipeline as in the common preprocessing scripts: read with OpenSlide, shrink to 8 um a pixel, HSV saturation,
threshold_otsu, remove_small_objects and remove_small_holes of 20,000 um2; a 112 um tile is kept at half tissue.
"""
import json
import sys

import numpy as np
import openslide
from PIL import Image
from skimage import color, filters, morphology

MASK_UM, TILE_UM, AREA_UM2, FRACTION = 8.0, 112.0, 20_000, 0.5
SLIDES = [("aperio/CMU-1-Small-Region.svs", 0.499), ("aperio/TCGA-CR-7395-01A-01-TS1.svs", 0.5)]


def decisions(path, mpp):
    slide = openslide.OpenSlide(path)
    width, height = slide.dimensions
    rgba = np.array(slide.read_region((0, 0), 0, (width, height)))
    size = (round(width * mpp / MASK_UM), round(height * mpp / MASK_UM))
    small = np.array(Image.fromarray(rgba[..., :3]).resize(size, Image.BOX))
    saturation = color.rgb2hsv(small)[..., 1]
    threshold = filters.threshold_otsu(saturation)
    pixels = AREA_UM2 / MASK_UM**2
    mask = morphology.remove_small_objects(saturation > threshold, pixels)
    mask = morphology.remove_small_holes(mask, pixels)
    full = np.array(Image.fromarray(mask.astype(np.uint8) * 255).resize((width, height), Image.NEAREST)) > 0
    tile = TILE_UM / mpp
    rows = []
    for r in range(10_000):
        y = round(r * tile)
        if y + tile > height:
            break
        row = ""
        for c in range(10_000):
            x = round(c * tile)
            if x + tile > width:
                break
            row += "1" if full[y : round(y + tile), x : round(x + tile)].mean() >= FRACTION else "0"
        rows.append(row)
    return {"mpp": mpp, "threshold": round(float(threshold), 4), "tissue": round(float(mask.mean()), 4), "rows": rows}


print(json.dumps({name: decisions(f"{sys.argv[1]}/slides/{name}", mpp) for name, mpp in SLIDES}, indent=1))
