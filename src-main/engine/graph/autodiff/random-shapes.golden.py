"""Gradients by PyTorch (float64) for random-shapes.test.ts, over shapes and attributes drawn at random.
Run: /usr/bin/python3 random-shapes.golden.py > random-shapes.golden.json

Values come from a formula that the test repeats: sin(1.7 i + 0.3 k) for the k-th tensor, k = 9 for the weights of the
loss, k = 8 for dropout masks."""
import json, random, sys, zlib
import numpy as np, torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
CASES_OF_A_KIND = 2


def tensor(k, shape):
    n = int(np.prod(shape)) if shape else 1
    v = np.sin(1.7 * np.arange(n) + 0.3 * k).astype(np.float32).astype(np.float64)
    return torch.tensor(v.reshape(shape), requires_grad=True)


def dims(r, rank, high=4, low=1):
    return [r.randint(low, high) for _ in range(rank)]


def one(r):
    return {}, [dims(r, r.randint(1, 3), 5)]


def two(r):
    a = dims(r, r.randint(1, 3))
    b = [1 if r.random() < 0.4 else s for s in a[r.randint(0, len(a) - 1):]]
    return {}, [a, b] if r.random() < 0.5 else [b, a]


def axis3(r):
    return {"axis": r.randint(-3, 2)}, [dims(r, 3)]


def red(r):
    axes = [a for a in range(3) if r.random() < 0.5] or [1]
    return {"axes": axes, "keepdims": r.randint(0, 1)}, [dims(r, 3, 5, 2)]


def conv(r):
    g, ip, op = r.randint(1, 3), r.randint(1, 2), r.randint(1, 2)
    a = {"strides": dims(r, 2, 3), "dilations": dims(r, 2, 2), "pads": dims(r, 4, 2, 0), "group": g}
    return a, [[r.randint(1, 2), g * ip, r.randint(5, 8), r.randint(5, 8)], [g * op, ip, r.randint(1, 3), r.randint(1, 3)], [g * op]]


def pool(r):
    a = {"kernel_shape": dims(r, 2, 3, 2), "strides": dims(r, 2, 3), "pads": dims(r, 2, 1, 0) * 2, "include": r.randint(0, 1)}
    return a, [[r.randint(1, 2), r.randint(1, 3), r.randint(4, 7), r.randint(4, 7)]]


def image(r):
    return [r.randint(2, 3), r.randint(1, 3), r.randint(2, 4), r.randint(2, 4)]


def norm(r):
    s = image(r)
    return {"channels": s[1]}, [s, [s[1]], [s[1]]]


def layer(r):
    s, a = dims(r, 3, 5, 2), r.randint(1, 2)
    return {"axis": a}, [s, s[a:], s[a:]]


def matmul(r):
    m, k, n = dims(r, 3)
    b = dims(r, r.randint(0, 2), 3)
    o = [1 if r.random() < 0.5 else s for s in b[r.randint(0, len(b)):]]
    return {}, [b + [m, k], o + [k, n]]


def gemm(r):
    m, k, n = dims(r, 3)
    a = {"transA": r.randint(0, 1), "transB": r.randint(0, 1)}
    return a, [[k, m] if a["transA"] else [m, k], [n, k] if a["transB"] else [k, n], [n]]


def concat(r):
    s, a = dims(r, 3), r.randint(0, 2)
    t = list(s)
    t[a] = r.randint(1, 4)
    return {"axis": a}, [s, t, s]


def split(r):
    p, s = dims(r, 2, 3), dims(r, 3)
    s[1] = sum(p)
    return {"parts": p}, [s]


def slices(r):
    h, w = dims(r, 2, 10, 4)
    return {"starts": [r.randint(0, 2), r.randint(w - 2, w - 1)], "ends": [h + 5, -w - 1], "steps": [r.randint(1, 3), -r.randint(1, 3)]}, [[h, w, 2]]


def slice_ref(a, x):
    x = x[a["starts"][0]::a["steps"][0]]
    return x[:, torch.arange(a["starts"][1], -1, a["steps"][1])]


def padded(r):
    return {"pads": dims(r, 6, 2, 0)}, [dims(r, 3)]


def pad_ref(a, x):
    p = a["pads"]
    return F.pad(x, [p[2], p[5], p[1], p[4], p[0], p[3]])


def expand(r):
    s = dims(r, 3)
    return {"shape": s}, [[1 if r.random() < 0.5 else d for d in s[1:]]]


def gather(r):
    s, a = dims(r, 3), r.randint(0, 2)
    return {"axis": a, "places": [r.randint(0, s[a] - 1) for _ in range(r.randint(1, 5))]}, [s]


def reshape(r):
    s = dims(r, 3)
    return {"shape": [s[2], -1]}, [s]


def transpose(r):
    p = [0, 1, 2, 3]
    r.shuffle(p)
    return {"perm": p}, [dims(r, 4, 3)]


def pair(r):
    s = [r.randint(1, 4), r.randint(2, 5)]
    return {}, [s, s]


def powers(r):
    return {"exponent": r.randint(2, 3)}, one(r)[1]


def all_axes(r):
    return {"keepdims": r.randint(0, 1)}, [dims(r, r.randint(1, 3))]


def two_matrices(r):
    m, k, n = dims(r, 3)
    return {}, [[m, k], [k, n]]


def conv_plain(r):
    a, shapes = conv(r)
    return a, shapes[:2]


def pool_ceil(r):
    k, p = dims(r, 2, 3, 2), dims(r, 2, 1, 0)
    a = {"kernel_shape": k, "strides": dims(r, 2, 3), "pads": p * 2, "dilations": [r.randint(1, 2), 1]}
    return a, [[r.randint(1, 2), r.randint(1, 3), r.randint(5, 9), r.randint(5, 9)]]


def pool_ceil_ref(a, x):
    return F.max_pool2d(x, a["kernel_shape"], a["strides"], a["pads"][:2], a["dilations"], ceil_mode=True)


def layer_plain(r):
    s = dims(r, 3, 5, 2)
    return {}, [s, s[2:]]


def gather_one(r):
    s, a = dims(r, 3), r.randint(0, 2)
    return {"axis": a, "place": r.randint(-s[a], -1)}, [s]


def flat(r):
    return {"axis": r.randint(-3, 3)}, [dims(r, 3)]


def flat_ref(a, x):
    n = int(np.prod(x.shape[:a["axis"]]))
    return x.reshape(n, -1)


def squeezed(r):
    a, b = dims(r, 2)
    return {"axes": [0, -2]}, [[1, a, 1, b]]


def unsqueezed(r):
    return {"axes": [r.randint(0, 1), -1]}, [dims(r, 2)]


def conv_ref(a, x, w, b=None):
    t, l, bo, ri = a["pads"]
    return F.conv2d(F.pad(x, [l, ri, t, bo]), w, b, a["strides"], 0, a["dilations"], a["group"])


def avg_ref(a, x):
    return F.avg_pool2d(x, a["kernel_shape"], a["strides"], a["pads"][:2], count_include_pad=bool(a["include"]))


def mask(x, p):
    return (tensor(8, list(x.shape)).detach() > 0).double() / (1 - p)


def layer_ref(a, x, s, b):
    return F.layer_norm(x, x.shape[a["axis"]:], s, b)


def prod(a, x):
    for d in sorted(a["axes"], reverse=True):
        x = x.prod(d, keepdim=bool(a["keepdims"]))
    return x


def keep(f):
    return lambda a, x: f(x, tuple(a["axes"]), bool(a["keepdims"]))


def lp(p):
    return lambda a, x: torch.linalg.vector_norm(x, p, a["axes"], bool(a["keepdims"]))


KINDS = {
    "add": (two, lambda a, x, y: x + y), "sub": (two, lambda a, x, y: x - y), "mul": (two, lambda a, x, y: x * y),
    "div": (two, lambda a, x, y: x / (y + 3)), "max": (two, lambda a, x, y: torch.maximum(x, y)),
    "min": (two, lambda a, x, y: torch.minimum(x, y)), "where": (two, lambda a, x, y: torch.where(x > y, x, y)),
    "identity": (one, lambda a, x: x * 1), "neg": (one, lambda a, x: -x), "exp": (one, lambda a, x: x.exp()),
    "erf": (one, lambda a, x: x.erf()), "log": (one, lambda a, x: (x.exp() + 1).log()),
    "sqrt": (one, lambda a, x: x.exp().sqrt()), "reciprocal": (one, lambda a, x: 1 / (x + 3)),
    "pow": (powers, lambda a, x: x ** a["exponent"]),
    "relu": (one, lambda a, x: F.relu(x)), "leaky_relu": (one, lambda a, x: F.leaky_relu(x, 0.2)),
    "clip": (one, lambda a, x: x.clamp(-0.5, 0.6)), "abs": (one, lambda a, x: x.abs()),
    "gelu": (one, lambda a, x: F.gelu(x)), "gelu_tanh": (one, lambda a, x: F.gelu(x, approximate="tanh")),
    "tanh": (one, lambda a, x: x.tanh()), "sigmoid": (one, lambda a, x: x.sigmoid()),
    "softplus": (one, lambda a, x: F.softplus(x)), "softmax": (axis3, lambda a, x: x.softmax(a["axis"])),
    "log_softmax": (axis3, lambda a, x: x.log_softmax(a["axis"])), "dropout": (one, lambda a, x: x * mask(x, 0.25)),
    "reduce_sum": (red, keep(torch.sum)), "reduce_mean": (red, keep(torch.mean)), "reduce_max": (red, keep(torch.amax)),
    "reduce_min": (red, keep(torch.amin)), "reduce_prod": (red, prod), "reduce_l1": (red, lp(1)), "reduce_l2": (red, lp(2)),
    "reduce_sum_square": (red, lambda a, x: (x * x).sum(a["axes"], bool(a["keepdims"]))),
    "reduce_log_sum": (red, lambda a, x: x.exp().sum(a["axes"], bool(a["keepdims"])).log()),
    "reduce_log_sum_exp": (red, keep(torch.logsumexp)), "matmul": (matmul, lambda a, x, y: x @ y),
    "gemm": (gemm, lambda a, x, y, c: 0.5 * (x.T if a["transA"] else x) @ (y.T if a["transB"] else y) + 1.5 * c),
    "reduce_all": (all_axes, lambda a, x: x.mean(list(range(x.dim())), bool(a["keepdims"]))),
    "gemm_plain": (two_matrices, lambda a, x, y: x @ y), "conv_plain": (conv_plain, conv_ref),
    "max_pool_ceil": (pool_ceil, pool_ceil_ref),
    "layer_norm_plain": (layer_plain, lambda a, x, s: F.layer_norm(x, x.shape[2:], s)),
    "gather_one": (gather_one, lambda a, x: x.select(a["axis"], a["place"])), "flatten": (flat, flat_ref),
    "squeeze": (squeezed, lambda a, x: x[0, :, 0]),
    "unsqueeze": (unsqueezed, lambda a, x: x.unsqueeze(a["axes"][0]).unsqueeze(-1)),
    "conv": (conv, conv_ref),
    "max_pool": (pool, lambda a, x: F.max_pool2d(x, a["kernel_shape"], a["strides"], a["pads"][:2])),
    "average_pool": (pool, avg_ref),
    "global_average_pool": (lambda r: ({}, [image(r)]), lambda a, x: x.mean((2, 3), True)),
    "batch_norm_frozen": (norm, lambda a, x, s, b: F.batch_norm(x, torch.full_like(s, 0.3), torch.full_like(s, 1.7), s, b, False)),
    "batch_norm_training": (norm, lambda a, x, s, b: F.batch_norm(x, None, None, s, b, True)),
    "instance_norm": (norm, lambda a, x, s, b: F.instance_norm(x, weight=s, bias=b)),
    "layer_norm": (layer, layer_ref), "concat": (concat, lambda a, *x: torch.cat(x, a["axis"])),
    "split": (split, lambda a, x: x[:, :a["parts"][0]] * x[:, a["parts"][0]:].sum()), "slice": (slices, slice_ref),
    "pad": (padded, pad_ref), "expand": (expand, lambda a, x: x.expand(a["shape"])),
    "gather": (gather, lambda a, x: x.index_select(a["axis"], torch.tensor(a["places"]))),
    "reshape": (reshape, lambda a, x: x.reshape(a["shape"])), "transpose": (transpose, lambda a, x: x.permute(a["perm"])),
    "cross_entropy": (pair, lambda a, x, t: F.cross_entropy(x, t.softmax(1))),
    "binary_cross_entropy": (pair, lambda a, x, t: F.binary_cross_entropy_with_logits(5 * x, t.sigmoid())),
}


def case(kind, draw, f, seed):
    attributes, shapes = draw(random.Random(seed))
    ts = [tensor(k, s) for k, s in enumerate(shapes)]
    out = f(attributes, *ts)
    (out * tensor(9, list(out.shape)).detach()).sum().backward()
    grads = [None if t.grad is None else [float(f"{float(g):.8g}") for g in t.grad.flatten()] for t in ts]
    return {"kind": kind, "attributes": attributes, "shapes": shapes, "gradients": grads}


json.dump([case(k, d, f, zlib.crc32(k.encode()) + i) for k, (d, f) in KINDS.items() for i in range(CASES_OF_A_KIND)], sys.stdout, separators=(",", ":"))
