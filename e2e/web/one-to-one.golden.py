"""Writes one-to-one.golden.png: a crop of CMU-1-Small-Region.svs as OpenSlide reads it.

Run with openslide-python: python3 one-to-one.golden.py PATH/CMU-1-Small-Region.svs
"""

import sys
from pathlib import Path

import openslide

X0_PX, Y0_PX, SIDE_PX = 1036, 1436, 128

slide = openslide.OpenSlide(sys.argv[1])
crop = slide.read_region((X0_PX, Y0_PX), 0, (SIDE_PX, SIDE_PX)).convert("RGB")
crop.save(Path(__file__).with_name("one-to-one.golden.png"), optimize=True)
