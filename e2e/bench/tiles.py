"""Milliseconds per tile of OpenSlide's DeepZoom (read, composite, encode as JPEG), for tiles.ts.
Usage: tiles.py SLIDE; then one line per round on standard input: the tiles to serve as "column,row column,row ..."."""
import io, json, sys, time
import openslide
from openslide.deepzoom import DeepZoomGenerator

slide = openslide.OpenSlide(sys.argv[1])
zoom = DeepZoomGenerator(slide, tile_size=240, overlap=0)
level = zoom.level_count - 1
for line in sys.stdin:
    tiles = [tuple(map(int, t.split(","))) for t in line.split()]
    start = time.perf_counter()
    for tile in tiles:
        zoom.get_tile(level, tile).save(io.BytesIO(), "jpeg", quality=75)
    print(json.dumps((time.perf_counter() - start) * 1000 / len(tiles)), flush=True)
