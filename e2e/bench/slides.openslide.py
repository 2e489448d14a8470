"""OpenSlide's side of the slide benchmark: answers JSON lines on stdin with seconds taken, so that both sides alternate."""
import io
import json
import sys
import time

import openslide
from openslide.deepzoom import DeepZoomGenerator
from PIL import Image

slides = {}


def slide_of(path):
    if path not in slides:
        slides[path] = openslide.OpenSlide(path)
    return slides[path]


def tiles(job):
    zoom = DeepZoomGenerator(slide_of(job["path"]), tile_size=job["tile"], overlap=0)
    level = zoom.level_count - 1
    start = time.perf_counter()
    for column, row in job["tiles"]:
        zoom.get_tile(level, (column, row)).save(io.BytesIO(), "JPEG", quality=75)
    return time.perf_counter() - start


def regions(job):
    slide = slide_of(job["path"])
    start = time.perf_counter()
    for x, y, extent in job["regions"]:
        side = int(round(extent))
        image = slide.read_region((int(round(x)), int(round(y))), 0, (side, side)).convert("RGB")
        if side != job["out"]:
            image.resize((job["out"], job["out"]), Image.BILINEAR)
    return time.perf_counter() - start


def opening(job):
    start = time.perf_counter()
    for _ in range(job["times"]):
        openslide.OpenSlide(job["path"]).close()
    return time.perf_counter() - start


JOBS = {"tiles": tiles, "regions": regions, "opening": opening}
print(json.dumps({"version": openslide.__library_version__}), flush=True)
for line in sys.stdin:
    job = json.loads(line)
    slides.clear()  # a fresh cache for each measurement, on both sides
    cpu = time.process_time()
    seconds = JOBS[job["job"]](job)
    print(json.dumps({"seconds": seconds, "cpu": time.process_time() - cpu}), flush=True)
