"""Running statistics of a batch norm in training by PyTorch (float64), for step-runner.test.ts.

    /usr/bin/python3 running-statistics.golden.py > running-statistics.golden.json

The network is the test's: 3 x 3 convolution of 2 into 3 channels, batch norm; values sin(1.7 i + 0.3 k). Its weights stay."""
import json
import numpy as np, torch


def values(k, *shape):
    n = int(np.prod(shape))
    return torch.tensor(np.sin(1.7 * np.arange(n) + 0.3 * k).astype(np.float32).astype(np.float64).reshape(shape))


image, kernel = values(4, 6, 2, 6, 6), values(1, 3, 2, 3, 3)
norm = torch.nn.BatchNorm2d(3, momentum=0.1).double()
norm.running_mean[:] = torch.tensor([2.5, 0.7, 0.9])
norm.running_var[:] = torch.tensor([3.5, 0.7, 0.9])
for _ in range(3):
    norm(torch.nn.functional.conv2d(image, kernel))
print(json.dumps({"mean": norm.running_mean.tolist(), "variance": norm.running_var.tolist()}))
