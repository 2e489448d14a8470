"""Small checkpoints written by PyTorch, with the values they hold, and the key tables of torchvision's networks.

Run: /usr/bin/python3 checkpoint.golden.py > checkpoint.golden.json
"""

import base64
import collections
import io
import json
import os
import pickle
import sys

import torch
import torchvision.models as models


def saved(value, legacy=False, protocol=2):
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
    return base64.b64encode(buffer.getvalue()).decode()


def listed(value, key=""):
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    if torch.is_tensor(value):
        return {key: {"dims": list(value.shape), "values": value.detach().float().flatten().tolist()}}
    if isinstance(value, dict):
        out = {}
        for name, inner in value.items():
            out.update(listed(inner, f"{key}.{name}" if key else str(name)))
        return out
    return {}


class Attack:
    def __reduce__(self):
        return (os.system, ("touch /tmp/hyaline-was-here",))


base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7
state = collections.OrderedDict(
    plain=base,
    transposed=base.t(),
    window=base[1:3, 2:5],
    half=(base * 3).half(),
    brain=(base * 3).bfloat16(),
    double=base.double() / 3,
    long=torch.tensor([1, -2, 3]),
    scalar=torch.tensor(2.5),
    parameter=torch.nn.Parameter(torch.full((2, 2), -1.5)),
    empty=torch.zeros(0, 3),
)
training = {
    "epoch": 7,
    "lr": 1e-3,
    "best": True,
    "none": None,
    "big": 2**40,
    "negative": -(2**40),
    "notes": ["é", ("a", 1, 2, 3, 4)],
    "tags": {1, 2},
    "state_dict": {"model.a": base, "model.b": base[0]},
    "when": collections.defaultdict(list, {"x": [1]}),
}
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
values = {"state": state, "training": training, "module": module}

files = {}
for name, value in values.items():
    for kind, legacy, protocol in [("zip", False, 2), ("zip4", False, 4), ("legacy", True, 2)]:
        files[f"{name}-{kind}"] = {"bytes": saved(value, legacy, protocol), "tensors": listed(value)}

keys = {
    name: {k: list(v.shape) for k, v in getattr(models, name)().state_dict().items()}
    for name in ["resnet18", "resnet50", "densenet121", "mobilenet_v2", "shufflenet_v2_x1_0", "squeezenet1_1", "vit_b_16"]
}
attacks = {
    "reduce in a state dict": saved({"weight": base, "x": Attack()}),
    "reduce in the legacy format": saved({"weight": base, "x": Attack()}, legacy=True),
}
json.dump({"made": torch.__version__, "files": files, "attacks": attacks, "keys": keys}, sys.stdout)
