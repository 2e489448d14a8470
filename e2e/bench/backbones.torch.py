"""Answers lines of `NETWORK RUNS` with seconds per image of torchvision's network: random weights, batch 16, 224 px.

The first answer of a network also pays for building it; the caller asks once to warm up.
"""

import os
import sys
import time

import torch
import torchvision.models as models

torch.set_num_threads(os.cpu_count())
networks = {}
names = {"vit_base_patch16": "vit_b_16"}
image = torch.rand(16, 3, 224, 224)
for line in sys.stdin:
    name, runs = line.split()
    if name not in networks:
        networks = {name: getattr(models, names.get(name, name))().eval()}
    with torch.inference_mode():
        networks[name](image)
        start = time.perf_counter()
        for _ in range(int(runs)):
            networks[name](image)
    print((time.perf_counter() - start) / int(runs) / 16, flush=True)
