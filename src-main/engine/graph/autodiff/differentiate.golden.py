"""Gradients by PyTorch for differentiate.test.ts. Run: /usr/bin/python3 differentiate.golden.py > differentiate.golden.json

Values come from a formula that the test repeats: value(i) = sin(1.7 i + 0.3 k) for the k-th tensor of a case.
"""
import json, sys
import numpy as np, torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def tensor(k, *shape):
    n = int(np.prod(shape))
    v = np.sin(1.7 * np.arange(n) + 0.3 * k).astype(np.float32).astype(np.float64)
    return torch.tensor(v.reshape(shape), requires_grad=True)


def case(name, shapes, f):
    ts = [tensor(k, *s) for k, s in enumerate(shapes)]
    out = f(*ts)
    # a loss that weighs every element differently
    w = tensor(9, *out.shape).detach()
    (out * w).sum().backward()
    grads = [None if t.grad is None else [round(float(g), 9) for g in t.grad.flatten()] for t in ts]
    return {"name": name, "shapes": shapes, "gradients": grads}


def conv(stride, pad, dil, g):
    return lambda x, w, b: F.conv2d(x, w, b, stride, pad, dil, g)


def bn(x, s, b, m, v):
    return F.batch_norm(x, m.detach(), v.detach().abs() + 0.5, s, b, False, 0.0, 1e-5)


def attention(h, w1, b1, w2):
    a = torch.softmax(torch.tanh(h @ w1 + b1) @ w2, 0)
    return a.T @ h


cases = [
    case("add broadcast", [[2, 3, 4], [3, 1]], lambda a, b: a + b),
    case("sub broadcast", [[3, 1], [2, 3, 4]], lambda a, b: a - b),
    case("mul broadcast", [[2, 3], [1, 3]], lambda a, b: a * b),
    case("div", [[2, 3], [3]], lambda a, b: a / (b + 3)),
    case("relu", [[5, 7]], F.relu),
    case("tanh", [[5, 7]], torch.tanh),
    case("sigmoid", [[5, 7]], torch.sigmoid),
    case("gelu", [[5, 7]], F.gelu),
    case("softmax 0", [[5, 3]], lambda a: torch.softmax(a, 0)),
    case("log softmax", [[5, 3]], lambda a: torch.log_softmax(a, 1)),
    case("exp log sqrt", [[4, 3]], lambda a: torch.log(torch.sqrt(torch.exp(a) + 1))),
    case("mean", [[2, 3, 4]], lambda a: a.mean((0, 2))),
    case("sum keep", [[2, 3, 4]], lambda a: a.sum(1, keepdim=True)),
    case("matmul", [[2, 3, 4], [4, 5]], lambda a, b: a @ b),
    case("gemm 00", [[3, 4], [4, 5], [5]], lambda a, b, c: a @ b * 0.5 + c),
    case("gemm 01", [[3, 4], [5, 4], [5]], lambda a, b, c: a @ b.T * 0.5 + c),
    case("gemm 10", [[4, 3], [4, 5], [5]], lambda a, b, c: a.T @ b * 0.5 + c),
    case("gemm 11", [[4, 3], [5, 4], [5]], lambda a, b, c: a.T @ b.T * 0.5 + c),
    case("transpose reshape", [[2, 3, 4]], lambda a: a.permute(2, 0, 1).reshape(4, 6)),
    case("concat slice", [[2, 3], [2, 4]], lambda a, b: torch.cat([a, b], 1)[:, 1:6]),
    case("conv 3x3", [[2, 3, 7, 6], [4, 3, 3, 3], [4]], conv(1, 1, 1, 1)),
    case("conv stride", [[2, 3, 8, 7], [4, 3, 3, 3], [4]], conv(2, 1, 1, 1)),
    case("conv dilated", [[1, 2, 9, 9], [4, 2, 3, 3], [4]], conv(1, 2, 2, 1)),
    case("conv groups", [[2, 4, 6, 6], [6, 2, 3, 3], [6]], conv(1, 1, 1, 2)),
    case("conv depthwise", [[2, 4, 6, 6], [4, 1, 3, 3], [4]], conv(2, 1, 1, 4)),
    case("conv 1x1 stride", [[2, 3, 7, 7], [5, 3, 1, 1], [5]], conv(2, 0, 1, 1)),
    case("max pool", [[2, 3, 8, 8]], lambda a: F.max_pool2d(a, 3, 2, 1)),
    case("average pool", [[2, 3, 8, 8]], lambda a: F.avg_pool2d(a, 3, 2, 1, count_include_pad=False)),
    case("average pool padded", [[2, 3, 8, 8]], lambda a: F.avg_pool2d(a, 3, 2, 1, count_include_pad=True)),
    case("global average", [[2, 3, 5, 4]], lambda a: a.mean((2, 3), keepdim=True)),
    case("batch norm", [[2, 3, 4, 4], [3], [3], [3], [3]], bn),
    case("attention", [[6, 4], [4, 3], [3], [3, 1]], attention),
]
json.dump(cases, sys.stdout, separators=(",", ":"))
