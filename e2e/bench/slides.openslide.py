"""OpenSlide's side of the slide benchmark: answers JSON lines on stdin with seconds taken, so that both sides alternate."""
import io
import json
import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor

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

    out = job["out"]

    def read(region):
        x, y, extent = region
        if extent == out:
            slide.read_region((int(x), int(y)), 0, (out, out)).convert("RGB")
            return
        # The same pixels as Hyaline's: float origin and extent, Pillow's antialiased bilinear filter, its margin read too.
        left, top = int(math.floor(x)) - 1, int(math.floor(y)) - 1
        side = int(math.ceil(extent)) + 3
        image = slide.read_region((left, top), 0, (side, side)).convert("RGB")
        box = (x - left, y - top, x - left + extent, y - top + extent)
        image.resize((out, out), Image.BILINEAR, box=box)

    if job["threads"] == 1:
        start = time.perf_counter()
        for region in job["regions"]:
            read(region)
        return time.perf_counter() - start
    with ThreadPoolExecutor(job["threads"]) as pool:
        list(pool.map(time.sleep, [0.01] * job["threads"]))
        start = time.perf_counter()
        list(pool.map(read, job["regions"]))
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
