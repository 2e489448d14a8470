"""The search that chose CATEGORY_COLOURS: greedy farthest points in sRGB under four kinds of vision, CIEDE2000.

    /usr/bin/python3 src-shared/numeric/category-colours.golden.py

Prints each colour and its smallest difference to the ones before it. Starts from Okabe and Ito's blue and orange;
candidates are neither too dark, too light nor too grey (L 30..90, chroma > 35). Needs scikit-image.
"""
import itertools

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

VISION = [  # Machado, Oliveira, Fernandes 2009, severity 1.0: normal, protan, deutan, tritan
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
]


def linear(c):
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def encoded(c):
    return np.where(c <= 0.0031308, c * 12.92, 1.055 * np.clip(c, 0, None) ** (1 / 2.4) - 0.055)


def labs(colours):
    rgb = np.array(colours) / 255
    return [rgb2lab(np.clip(encoded(np.clip(linear(rgb) @ m.T, 0, 1)), 0, 1)) for m in VISION]


colours = [(0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), *itertools.product(range(0, 256, 17), repeat=3)]
views = labs(colours)
normal = views[0]
fit = (normal[:, 0] > 30) & (normal[:, 0] < 90) & (np.hypot(normal[:, 1], normal[:, 2]) > 35)
fit[:2] = True


def distance(i):
    return np.min([deltaE_ciede2000(view[i][None], view) for view in views], axis=0)


chosen = [0, 1]
nearest = np.minimum(distance(0), distance(1))
print("%02x%02x%02x" % colours[0], "%02x%02x%02x" % colours[1], round(float(distance(0)[1]), 1))
while len(chosen) < 12:
    best = int(np.argmax(np.where(fit, nearest, -1)))
    print("%02x%02x%02x" % colours[best], round(float(nearest[best]), 1))
    chosen.append(best)
    nearest = np.minimum(nearest, distance(best))
