"""Answers lines of `WHAT RUNS` with the seconds and the CPU seconds per training step of PyTorch, sizes as in train.ts,
and with the most memory the process has held, in MiB.

WHAT: block:IN:OUT:STRIDE:SIDE, resnet18:BATCH, or bag:TILES. Norms stay frozen, Adam 1e-5, float32.
"""

import os
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.models import resnet18
from torchvision.models.resnet import BasicBlock

THREADS = int(os.environ.get("BENCH_THREADS") or os.cpu_count())
torch.set_num_threads(THREADS)
torch.manual_seed(1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU())
        self.score = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 1))
        self.classify = nn.Linear(64, 2)

    def forward(self, x):
        h = self.embed(x)
        return self.classify(torch.softmax(self.score(h), 0).T @ h)


def made(what):
    kind, *sizes = what.split(":")
    numbers = [int(size) for size in sizes]
    if kind == "block":
        before, after, stride, side = numbers
        down = None
        if stride > 1 or before != after:
            down = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        network = BasicBlock(before, after, stride, down).eval()
        image = torch.rand(8, before, side, side)
        return network, lambda: (network(image) ** 2).mean()
    if kind == "resnet18":
        network = resnet18(num_classes=2).eval()
        image, label = torch.rand(numbers[0], 3, 224, 224), torch.arange(numbers[0]) % 2
        return network, lambda: F.cross_entropy(network(image), label)
    network = Attention()
    bag, label = torch.rand(numbers[0], 512), torch.tensor([1])
    return network, lambda: F.cross_entropy(network(bag), label)


current = None
for line in sys.stdin:
    what, runs = line.split()
    if current is None or current[0] != what:
        network, loss = made(what)
        current = (what, loss, torch.optim.Adam(network.parameters(), 1e-5))
    _, loss, optimiser = current

    def step():
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    step()
    start, start_cpu = time.perf_counter(), time.process_time()
    for _ in range(int(runs)):
        step()
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(wall / int(runs), cpu / int(runs), peak_mib, flush=True)
