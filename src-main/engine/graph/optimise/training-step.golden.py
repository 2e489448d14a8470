"""Weights after some steps of PyTorch's optimisers, for training-step.test.ts.
Run: /usr/bin/python3 training-step.golden.py > training-step.golden.json
Values: sin(1.7 i + 0.3 k) for the k-th tensor, as in the test."""
import json, sys
import numpy as np, torch

torch.set_default_dtype(torch.float64)


def tensor(k, *shape):
    n = int(np.prod(shape))
    return torch.tensor(np.sin(1.7 * np.arange(n) + 0.3 * k).astype(np.float32).astype(np.float64).reshape(shape))


def run(name, make, clip=None, steps=25):
    w1, b1, w2 = (tensor(k, *s).requires_grad_() for k, s in enumerate([(4, 6), (6,), (6, 3)]))
    x, t = tensor(5, 8, 4), tensor(6, 8, 3)
    opt = make([{"params": [w1, b1], "lr": 0.01, "weight_decay": 0.1}, {"params": [w2], "lr": 0.05, "weight_decay": 0.0}])
    losses = []
    for _ in range(steps):
        opt.zero_grad()
        loss = ((torch.tanh(x @ w1 + b1) @ w2 - t) ** 2).mean()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_([w1, b1, w2], clip)
        opt.step()
        losses.append(round(float(loss), 9))
    return {"name": name, "losses": losses, "w1": [round(float(v), 9) for v in w1.detach().flatten()]}


json.dump([
    run("adam", lambda g: torch.optim.Adam(g)),
    run("adamw", lambda g: torch.optim.AdamW(g)),
    run("sgd", lambda g: torch.optim.SGD(g, lr=0.1)),
    run("sgd momentum clipped", lambda g: torch.optim.SGD(g, lr=0.1, momentum=0.9), 0.2),
], sys.stdout, separators=(",", ":"))
