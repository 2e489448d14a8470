"""Reference values for the stain normalisations: numpy (LAPACK) and scikit-image on a public pair of H&E images.

Usage: stain.golden.py SOURCE.png TARGET.png > stain.golden.json
"""

import json
import sys

import numpy as np
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

EVERY = 397


def pixels(path):
    return np.array(Image.open(path).convert("RGB")).reshape(-1, 3)


def macenko_fit(rgb):
    od = -np.log((rgb.astype(float) + 1) / 240)
    stained = od[~np.any(od < 0.15, axis=1)]
    vectors = np.linalg.eigh(np.cov(stained.T))[1][:, [2, 1]]
    vectors *= np.where(vectors.sum(axis=0) < 0, -1, 1)
    projected = stained @ vectors
    angles = np.arctan2(projected[:, 1], projected[:, 0])
    ends = [vectors @ np.array([np.cos(a), np.sin(a)]) for a in np.percentile(angles, [1, 99])]
    stains = np.array(ends if ends[0][0] > ends[1][0] else ends[::-1])
    amounts = np.linalg.lstsq(stains.T, od.T, rcond=None)[0]
    return stains, np.percentile(amounts, 99, axis=1), amounts


def macenko(source, target):
    _, peaks, amounts = macenko_fit(source)
    stains, target_peaks, _ = macenko_fit(target)
    return np.clip(np.rint(240 * np.exp(-stains.T @ (amounts * (target_peaks / peaks)[:, None]))), 0, 255).T


def lab_fit(rgb):
    od = -np.log((rgb.astype(float) + 1) / 240)
    lab = rgb2lab(rgb[None])[0]
    stained = lab[~np.any(od < 0.15, axis=1)]
    return lab, stained.mean(axis=0), stained.std(axis=0)


def reinhard(source, target):
    lab, mean, std = lab_fit(source)
    _, target_mean, target_std = lab_fit(target)
    return np.rint(255 * lab2rgb(((lab - mean) / std * target_std + target_mean)[None])[0])


source, target = pixels(sys.argv[1]), pixels(sys.argv[2])
stains, peaks, _ = macenko_fit(source)
_, mean, std = lab_fit(source)
json.dump(
    {
        "every": EVERY,
        "macenko": {"stains": stains.tolist(), "maxConcentrations": peaks.tolist()},
        "reinhard": {"mean": mean.tolist(), "std": std.tolist()},
        "macenkoPixels": macenko(source, target)[::EVERY].astype(int).ravel().tolist(),
        "reinhardPixels": reinhard(source, target)[::EVERY].astype(int).ravel().tolist(),
    },
    sys.stdout,
)
