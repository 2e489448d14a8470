"""Answers lines of `NETWORK RUNS BATCH` with seconds per image of torchvision's network: random weights, 224 px.

A network is run once before it is timed, in every answer.
"""

import os
import sys
import time

import torch
import torchvision.models as models

torch.set_num_threads(os.cpu_count())
networks = {}
names = {"vit_base_patch16": "vit_b_16"}
for line in sys.stdin:
    name, runs, batch = line.split()
    if name not in networks:
        networks = {name: getattr(models, names.get(name, name))().eval()}
    image = torch.rand(int(batch), 3, 224, 224)
    with torch.inference_mode():
        networks[name](image)
        start = time.perf_counter()
        for _ in range(int(runs)):
            networks[name](image)
    print((time.perf_counter() - start) / int(runs) / int(batch), flush=True)
