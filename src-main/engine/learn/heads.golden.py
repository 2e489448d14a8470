"""Golden values of the heads, made with PyTorch: forward pass, loss and the gradient of every weight.

    /usr/bin/python3 heads.golden.py > heads.golden.json
"""
import json
import math
import torch
import torch.nn.functional as F

TILES, DIM = 11, 5
WIDTHS = {'histotransfer': [256, 64], 'abmil': [512], 'clam-sb': [512], 'mean': [], 'max': []}
ATTENTION = {'histotransfer': 32, 'abmil': 128, 'clam-sb': 256}


def values(name, *dims):
    """The same numbers on both sides: a sine of the position, by the length of the name, over the root of the inputs."""
    count = math.prod(dims)
    scale = 1 / math.sqrt(dims[-2]) if len(dims) > 1 else 0.1
    flat = [scale * math.sin(0.37 * i + len(name)) for i in range(count)]
    return torch.tensor(flat, dtype=torch.float64).reshape(dims)


class Head:
    def __init__(self, pooling, gated, classes):
        self.pooling, self.gated, self.classes = pooling, gated or pooling == 'clam-sb', classes
        self.p = {}
        width = DIM
        for i, out in enumerate(WIDTHS[pooling]):
            self.linear(f'embed{i}', width, out)
            width = out
        if pooling in ATTENTION:
            self.linear('attend', width, ATTENTION[pooling])
            if self.gated:
                self.linear('gate', width, ATTENTION[pooling])
            self.linear('score', ATTENTION[pooling], 1)
        self.linear('classify', width, classes)
        if pooling == 'clam-sb':
            self.p['instance_weight'] = values('instance_weight', classes, width, 2)
            self.p['instance_bias'] = values('instance_bias', classes, 1, 2)
        for value in self.p.values():
            value.requires_grad_(True)

    def linear(self, name, inputs, outputs):
        self.p[f'{name}_weight'] = values(f'{name}_weight', inputs, outputs)
        self.p[f'{name}_bias'] = values(f'{name}_bias', outputs)

    def apply(self, name, x):
        return x @ self.p[f'{name}_weight'] + self.p[f'{name}_bias']

    def forward(self, x):
        h = x
        for i in range(len(WIDTHS[self.pooling])):
            h = torch.relu(self.apply(f'embed{i}', h))
        self.h = h
        self.tile_logits = self.apply('classify', h)
        if self.pooling == 'mean':
            return self.tile_logits.mean(0), None, None
        if self.pooling == 'max':
            return self.tile_logits.max(0).values, None, None
        a = torch.tanh(self.apply('attend', h))
        if self.gated:
            a = a * torch.sigmoid(self.apply('gate', h))
        scores = self.apply('score', a)[:, 0]
        attention = torch.softmax(scores, 0)
        return self.apply('classify', attention @ h), scores, attention

    def loss(self, x, label, entropy_weight, instance_weight, tile_weight):
        logits, scores, attention = self.forward(x)
        loss = F.cross_entropy(logits[None], torch.tensor([label]))
        if tile_weight > 0:
            tiles = F.cross_entropy(self.tile_logits, torch.full((len(x),), label))
            loss = (1 - tile_weight) * loss + tile_weight * tiles
        if instance_weight > 0:
            k = min(8, len(x))
            ends = []
            for wanted, order in ((1, scores.topk(k).indices), (0, (-scores).topk(k).indices)):
                out = self.h[order] @ self.p['instance_weight'][label] + self.p['instance_bias'][label]
                ends.append(F.cross_entropy(out, torch.full((k,), wanted)))
            loss = (1 - instance_weight) * loss + instance_weight * (ends[0] + ends[1]) / 2
        if entropy_weight > 0:
            entropy = -(attention * torch.log(attention)).sum()
            loss = loss - entropy_weight * entropy / math.log(len(x) + 1)
        return loss, logits, scores, attention


def case(pooling, gated=False, classes=2, entropy=0.0, instance=0.0, tile=0.0):
    head = Head(pooling, gated, classes)
    x = values('features of a bag', TILES, DIM) * 3
    loss, logits, scores, attention = head.loss(x, 1, entropy, instance, tile)
    loss.backward()
    return {
        'pooling': pooling, 'gated': gated, 'classes': classes,
        'entropyWeight': entropy, 'instanceWeight': instance, 'tileWeight': tile,
        'loss': loss.item(), 'logits': logits.tolist(),
        'attention': None if attention is None else attention.tolist(),
        'gradients': {name: {'norm': p.grad.norm().item(), 'first': p.grad.flatten()[:4].tolist()}
                      for name, p in head.p.items() if p.grad is not None},
    }


print(json.dumps({'torch': torch.__version__, 'tiles': TILES, 'dim': DIM, 'cases': [
    case('histotransfer'),
    case('histotransfer', gated=True, classes=3, tile=0.5),
    case('histotransfer', entropy=0.2),
    case('abmil'),
    case('abmil', gated=True),
    case('clam-sb', instance=0.3),
    case('clam-sb', classes=3, instance=0.3),
    case('mean', classes=3, tile=0.9),
    case('max'),
]}, indent=1))
