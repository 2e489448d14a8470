"""What real H&E looks like in numbers: python3 histology.golden.py DATA > histology.golden.json

Over the 256 px tiles of CMU-1-Small-Region (H&E skin, 0.499 um a pixel) of which at least 60 % is tissue (HSV saturation
above 0.1): per channel mean, standard deviation and percentiles of the tissue pixels, and nuclei per mm2 of tissue. A
nucleus is a 4-connected component of 40 to 1500 px with haematoxylin above 0.55 after the colour deconvolution of
Ruifrok and Johnston 2001. Written: the least and the largest value over the tiles, and their mean.
"""
import json
import sys

import numpy as np
import openslide
from scipy import ndimage

STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
HAEMATOXYLIN = np.linalg.inv(STAINS / np.linalg.norm(STAINS, axis=1, keepdims=True))[:, 0]
MPP, SIDE, PERCENTILES = 0.499, 256, [5, 25, 50, 75, 95]


def statistics(tile):
    tile = tile.astype(float)
    high, low = tile.max(2), tile.min(2)
    tissue = (high - low) > 0.1 * np.maximum(high, 1)
    if tissue.mean() < 0.6:
        return None
    density = -np.log10((tile + 1) / 256) @ HAEMATOXYLIN
    labels, count = ndimage.label(density > 0.55)
    sizes = ndimage.sum(density > 0.55, labels, range(1, count + 1))
    nuclei = int(((sizes >= 40) & (sizes <= 1500)).sum())
    result = {"nucleiPerMm2": nuclei / (tissue.sum() * MPP**2 / 1e6)}
    for name, values in zip(["red", "green", "blue"], tile[tissue].T):
        result[f"{name}Mean"] = values.mean()
        result[f"{name}Sd"] = values.std()
        for p, value in zip(PERCENTILES, np.percentile(values, PERCENTILES)):
            result[f"{name}P{p}"] = value
    return result


slide = openslide.OpenSlide(f"{sys.argv[1]}/slides/aperio/CMU-1-Small-Region.svs")
width, height = slide.dimensions
image = np.array(slide.read_region((0, 0), 0, (width, height)))[..., :3]
tiles = [image[y : y + SIDE, x : x + SIDE] for y in range(0, height - SIDE + 1, SIDE) for x in range(0, width - SIDE + 1, SIDE)]
found = [s for s in map(statistics, tiles) if s]
ranges = {
    key: {"min": round(min(s[key] for s in found), 1), "max": round(max(s[key] for s in found), 1), "mean": round(float(np.mean([s[key] for s in found])), 1)}
    for key in found[0]
}
print(json.dumps({"tiles": len(found), "ranges": ranges}, indent=1))
