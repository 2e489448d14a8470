"""Reference features for architectures.test.ts, from torchvision (0.14) on weights and images made by a formula.

Run: /usr/bin/python3 architectures.golden.py > architectures.golden.json
"""

import json
import sys

import numpy as np
import torch
import torchvision.models as models

HEIGHT, WIDTH, COUNT = 96, 64, 2


def fnv1a(text):
    value = 0x811C9DC5
    for char in text:
        value = ((value ^ ord(char)) * 0x01000193) & 0xFFFFFFFF
    return value


def hash_unit(start, count):
    x = (np.arange(count, dtype=np.uint64) + np.uint64(start)).astype(np.uint32)
    for _ in range(2):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x45D9F3B)
    return (x ^ (x >> np.uint32(16))).astype(np.float64) / 2.0**32


def weight(name, shape):
    u = hash_unit(fnv1a(name), int(np.prod(shape)))
    if name.endswith("running_mean"):
        v = 0.4 * (u - 0.5)
    elif name.endswith("running_var"):
        v = 0.5 + u
    elif len(shape) == 3:
        v = 0.4 * (u - 0.5)
    elif len(shape) > 1:
        v = (2 * u - 1) * np.sqrt(6 / np.prod(shape[1:]))
    elif name.endswith("bias"):
        v = 0.2 * (u - 0.5)
    else:
        v = 0.5 + u
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def fill(net):
    state = net.state_dict()
    net.load_state_dict(
        {k: (v if k.endswith("num_batches_tracked") else weight(k, tuple(v.shape))) for k, v in state.items()}
    )
    return net.double().eval()  # float64: the reference adds no rounding of its own


def images(height=HEIGHT, width=WIDTH):
    u = hash_unit(12345, COUNT * height * width * 3)
    pixels = np.floor(u * 256).reshape(COUNT, height, width, 3).transpose(0, 3, 1, 2) / 255.0
    mean = np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = np.array([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    return torch.from_numpy((pixels - mean) / std)


def summary(features):
    flat = features.double().flatten(1)
    step = max(1, flat.shape[1] // 24)
    return {
        "dim": flat.shape[1],
        "step": step,
        "values": [[float("%.8g" % v) for v in row[::step]] for row in flat],
        "norms": [float("%.8g" % row.norm()) for row in flat],
    }


def convolutional(net, cuts, size=(HEIGHT, WIDTH)):
    """cuts: name -> module whose output is pooled."""
    fill(net)
    seen = {}
    for name, module in cuts.items():
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out.clone().mean((2, 3))}))
    with torch.no_grad():
        net(images(*size))
    return {name: summary(seen[name]) for name in cuts}


def resnet(net, **size):
    cuts = {"stem": net.maxpool, **{f"layer{i}": getattr(net, f"layer{i}") for i in range(1, 5)}}
    return convolutional(net, cuts, **size)


def instance_resnet(net):
    """On a larger image: at 96 x 64 the last layers would normalise by the variance of six values."""
    return resnet(net, size=(192, 160))


def densenet(net):
    f = net.features
    cuts = {"stem": f.pool0}
    for i in range(1, 5):
        cuts[f"denseblock{i}"] = getattr(f, f"denseblock{i}")
        if i < 4:
            cuts[f"transition{i}"] = getattr(f, f"transition{i}")
    cuts["norm5"] = f.norm5
    return convolutional(net, cuts)


def mobilenet(net):
    names = {0: "stem", 1: "block1", 3: "block3", 6: "block6", 10: "block10", 13: "block13", 16: "block16", 17: "block17", 18: "head"}
    return convolutional(net, {name: net.features[i] for i, name in names.items()})


def shufflenet(net):
    return convolutional(
        net, {"stem": net.maxpool, "stage2": net.stage2, "stage3": net.stage3, "stage4": net.stage4, "conv5": net.conv5}
    )


def squeezenet(net):
    names = {2: "stem", 3: "fire1", 4: "fire2", 6: "fire3", 7: "fire4", 9: "fire5", 10: "fire6", 11: "fire7", 12: "fire8"}
    return convolutional(net, {name: net.features[i] for i, name in names.items()})


def vit():
    """A small vision transformer of torchvision: 96 px, patch 16, 3 blocks, 4 heads, width 48, MLP 192."""
    net = models.vision_transformer.VisionTransformer(96, 16, 3, 4, 48, 192)
    fill(net)
    seen = {}
    for i, layer in enumerate(net.encoder.layers):
        layer.register_forward_hook(lambda _m, _i, out, i=i: seen.update({f"block{i + 1}": out.clone()}))
    net.encoder.ln.register_forward_hook(lambda _m, _i, out: seen.update({"norm": out.clone()}))
    with torch.no_grad():
        net(images(96, 96))
    out = {}
    for name, tokens in seen.items():
        out[name] = summary(tokens[:, 0])
        out[f"{name}-mean"] = summary(tokens[:, 1:].mean(1))
    return out


class Clip(torch.nn.Module):
    """The image tower of CLIP as OpenAI defines it (clip/model.py: VisionTransformer, QuickGELU), of PyTorch's own layers."""

    def __init__(self, side, patch, depth, heads, width, mlp, out):
        super().__init__()
        self.patch = torch.nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.cls_token = torch.nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = torch.nn.Parameter(torch.zeros(1, 1 + (side // patch) ** 2, width))
        self.norm_pre = torch.nn.LayerNorm(width)
        self.blocks = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(
                width, heads, mlp, 0.0, lambda x: x * torch.sigmoid(1.702 * x), 1e-5, batch_first=True, norm_first=True
            )
            for _ in range(depth)
        )
        self.norm = torch.nn.LayerNorm(width)
        self.projection = torch.nn.Linear(width, out, bias=False)

    def forward(self, x):
        patches = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], 1) + self.pos_embed
        x = self.norm_pre(x)
        seen = {}
        for i, block in enumerate(self.blocks):
            x = block(x)
            seen[f"block{i + 1}"] = x
        seen["norm"] = self.norm(x)
        return seen, self.projection(seen["norm"][:, 0])


CLIP_NAMES = {
    "patch.weight": "patch_embed.proj.weight",
    "self_attn.in_proj_": "attn.qkv.",
    "self_attn.out_proj": "attn.proj",
    "linear1": "mlp.fc1",
    "linear2": "mlp.fc2",
}


def clip():
    net = Clip(96, 16, 3, 4, 48, 192, 20)
    state = {}
    for key, value in net.state_dict().items():
        name = key
        for theirs, ours in CLIP_NAMES.items():
            name = name.replace(theirs, ours)
        state[key] = weight(name, tuple(value.shape))
    net.load_state_dict(state)
    net = net.double().eval()
    seen, projected = net(images(96, 96))
    out = {}
    for name, tokens in seen.items():
        out[name] = summary(tokens[:, 0].detach())
        out[f"{name}-mean"] = summary(tokens[:, 1:].mean(1).detach())
    out["projection"] = summary(projected.detach())
    return out


golden = {
    "made": f"torch {torch.__version__}, torchvision {models.__name__ and __import__('torchvision').__version__}",
    "heightPx": HEIGHT,
    "widthPx": WIDTH,
    "count": COUNT,
    "networks": {
        "resnet18": resnet(models.resnet18()),
        "resnet34": resnet(models.resnet34()),
        "resnet50": resnet(models.resnet50()),
        "resnet18_instance_norm": instance_resnet(models.resnet18(norm_layer=torch.nn.InstanceNorm2d)),
        "resnet50_instance_norm": instance_resnet(models.resnet50(norm_layer=torch.nn.InstanceNorm2d)),
        "densenet121": densenet(models.densenet121()),
        "mobilenet_v2": mobilenet(models.mobilenet_v2()),
        "shufflenet_v2_x1_0": shufflenet(models.shufflenet_v2_x1_0()),
        "squeezenet1_1": squeezenet(models.squeezenet1_1()),
        "vit": vit(),
        "clip": clip(),
    },
}
json.dump(golden, sys.stdout)
