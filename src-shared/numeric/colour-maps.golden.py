"""Writes colour-tables.ts and colour-maps.golden.json from matplotlib (made with 3.6.3).

    /usr/bin/python3 src-shared/numeric/colour-maps.golden.py

The five perceptual maps are CC0 (inferno, magma, plasma, viridis) and Nunez et al. 2018 (cividis).
"""
import json
import pathlib

import matplotlib
import numpy as np

here = pathlib.Path(__file__).parent
names = ["inferno", "plasma", "magma", "viridis", "cividis", "coolwarm", "jet"]
tables = {}
for name in names:
    rgba = matplotlib.colormaps[name](np.arange(256))
    tables[name] = np.round(rgba[:, :3] * 255).astype(int)

lines = [
    "/**",
    " * 256 colours per map, 6 hex digits each, as matplotlib defines them. Written by colour-maps.golden.py.",
    " * inferno, magma, plasma, viridis: S. van der Walt, N. Smith, E. Firing (CC0). cividis: J. Nunez et al. 2018.",
    " */",
    "export const COLOUR_TABLES = {",
]
for name in names:
    text = "".join("%02x%02x%02x" % tuple(c) for c in tables[name])
    rows = [text[i : i + 96] for i in range(0, len(text), 96)]
    lines.append(f"  {name}:")
    lines.append("    " + " +\n    ".join(f"'{row}'" for row in rows) + ",")
lines.append("} as const;")
(here / "colour-tables.ts").write_text("\n".join(lines) + "\n")

ts = [0.0, 0.001, 0.1, 0.25, 1 / 3, 0.5, 0.6180339, 0.75, 0.9, 0.999, 1.0]
golden = {"matplotlib": matplotlib.__version__, "t": ts, "rgb": {}}
for name in names:
    cmap = matplotlib.colormaps[name]
    golden["rgb"][name] = [np.round(np.array(cmap(t))[:3] * 255).astype(int).tolist() for t in ts]
(here / "colour-maps.golden.json").write_text(json.dumps(golden) + "\n")
