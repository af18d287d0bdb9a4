#!/usr/bin/env python3
"""Prints what PyTorch computes where test/Unit/Frontend/PreludeTest uses layers and losses of the prelude, one line
`name: values`, for prelude-values.txt. Needs torch. Element i of a tensor named p is 3 * sin(0.7 * i + len(p))."""

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def wave(name, *shape):
    count = torch.Size(shape).numel()
    return 3 * torch.sin(0.7 * torch.arange(count) + len(name)).reshape(shape)


x, image, labels = wave("x", 4, 3), wave("image", 1, 4, 5, 6), torch.tensor([2, 0, 1, 2])


def conv(out, k, **options):
    groups = options.get("groups", 1)
    return F.conv2d(image, wave("l.weight", out, 4 // groups, *k), wave("l.bias", out), **options)


ROWS = {
    "relu6": F.relu6(x),
    "silu": F.silu(x),
    "gelu": F.gelu(x),
    "hard_sigmoid": F.hardsigmoid(x),
    "hard_swish": F.hardswish(x),
    "leaky_relu": F.leaky_relu(x, 0.1),
    "softmax": F.softmax(x, -1),
    "cross_entropy": F.cross_entropy(x, labels),
    "smoothed": F.cross_entropy(x, labels, label_smoothing=0.1),
    "masked": F.cross_entropy(x.where(torch.arange(3) == labels[:, None], torch.tensor(-torch.inf)), labels),
    "soft": F.cross_entropy(x, F.one_hot(labels, 3) * 0.5 + 0.25),
    "accuracy": (x.argmax(1) == labels).double().mean(),
    "squared_error": F.mse_loss(x, x * x),
    "one_hot": F.one_hot(labels, 3).double(),
    "linear": F.linear(x, wave("l.weight", 2, 3), wave("l.bias", 2)),
    "embedding": F.embedding(labels, wave("l.weight", 3, 2)),
    "conv_strided": conv(2, (3, 3), stride=2, padding=1),
    "conv_even": conv(2, (4, 2), padding="same"),
    "conv_dilated": conv(2, (3, 3), dilation=2, groups=2, padding=2),
    "conv_valid": conv(2, (2, 3), padding=0),
    "batch_norm": F.batch_norm(image, wave("l.running_mean", 4), wave("l.running_var", 4) ** 2,
                               wave("l.weight", 4), wave("l.bias", 4), eps=1e-5),
    "max_pool": F.max_pool2d(image, 3, 2, 1, ceil_mode=True),
    "avg_pool": F.avg_pool2d(image, (2, 3)),
    "global_avg_pool": image.mean((2, 3)),
    "adaptive_avg_pool": F.adaptive_avg_pool2d(image, (3, 4)),
    "flatten": image.flatten(2),
    "split": torch.cat(image.chunk(2, 1)[::-1], 1),
    "slice": image[:, 1:4:2],
}

for name, value in ROWS.items():
    print(name + ":", *(f"{float(v):.12g}" for v in value.flatten()))
