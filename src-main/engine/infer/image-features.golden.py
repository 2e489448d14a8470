"""Reference input of a network for image-features.test.ts: an image resized by Pillow (BILINEAR, antialiased).

Run: /usr/bin/python3 image-features.golden.py > image-features.golden.json
"""

import json
import sys

import numpy as np
from PIL import Image

y, x = np.mgrid[0:50, 0:70]
pixels = np.stack([(x * 7 + y * 3) % 256, (x * y) % 256, (x * 2 + y * 11) % 256], -1).astype(np.uint8)
resized = np.asarray(Image.fromarray(pixels).resize((24, 20), Image.BILINEAR))
json.dump({"pixels": resized.flatten().tolist()}, sys.stdout)
