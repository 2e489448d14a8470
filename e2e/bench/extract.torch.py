"""The usual Python pipeline: OpenSlide read_region, torchvision transform, PyTorch ResNet18 without its classifier.

Usage: extract.torch.py SLIDE COLUMNS STRIDE_PX THREADS. Answers lines of `TILES` with tiles per second, after a warm-up
batch, so that opening the slide and building the network do not count. One process reads tiles beside the model, as in
the published feature extractors (a DataLoader with a worker).
"""

import sys
import time

import openslide
import torch
import torchvision.models as models
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

SIDE, BATCH = 224, 16
path, columns, stride, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
transform = transforms.Compose(
    [transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
)


class Tiles(Dataset):
    def __init__(self, count):
        self.count = count
        self.slide = None

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        # Opened in the process that reads.
        self.slide = self.slide or openslide.OpenSlide(path)
        corner = ((i % columns) * stride, (i // columns) * stride)
        return transform(self.slide.read_region(corner, 0, (SIDE, SIDE)).convert("RGB"))


network = models.resnet18()
network.fc = torch.nn.Identity()
network.eval()
for line in sys.stdin:
    loader = DataLoader(Tiles(int(line) + BATCH), batch_size=BATCH, num_workers=1)
    counted, start = 0, None
    with torch.inference_mode():
        for batch in loader:
            network(batch)
            if start is None:
                start = time.perf_counter()
            else:
                counted += len(batch)
    print(counted / (time.perf_counter() - start), flush=True)
