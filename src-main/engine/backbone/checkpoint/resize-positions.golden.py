"""Position tables resized by PyTorch for resize-positions.test.ts.

Run: /usr/bin/python3 resize-positions.golden.py > resize-positions.golden.json
"""

import json
import sys

import torch
import torch.nn.functional as F

cases = []
for side, size in [(7, 4), (4, 7), (5, 5), (9, 2)]:
    table = torch.sin(torch.arange(side * side * 3, dtype=torch.float64) * 0.37).reshape(side, side, 3)
    grid = F.interpolate(
        table.permute(2, 0, 1)[None], size=(size, size), mode="bicubic", antialias=True, align_corners=False
    )
    cases.append({"from": side, "to": size, "values": grid[0].permute(1, 2, 0).flatten().tolist()})
json.dump(cases, sys.stdout)
