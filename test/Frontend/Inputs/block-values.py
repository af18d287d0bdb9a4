#!/usr/bin/env python3
"""Prints what the blocks of branches compute by their papers' formulas, in PyTorch, one line `block variant: values`, for
block-values.txt. Needs torch. Element i of a tensor named p is sin(0.7 * i + len(p)); variances are its square plus 1/2.

Everything is in inference mode: norms use their running statistics."""

import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
EPSILON = 1e-5


def wave(name, *shape):
    count = torch.Size(shape).numel()
    value = torch.sin(0.7 * torch.arange(count) + len(name)).reshape(shape)
    return value * value + 0.5 if name.endswith("running_var") else value


class Site:
    """A convolution and what it is applied to."""

    def __init__(self, inputs, outputs, k, stride, pad, dilation, groups):
        self.x = wave("x", 2, inputs, 9, 8)
        self.inputs, self.outputs, self.k, self.stride = inputs, outputs, k, stride
        self.pad, self.dilation, self.groups = pad, dilation, groups
        self.margin = tuple(p - d * (size // 2) for p, d, size in zip(pad, dilation, k))
        self.keeps_shape = inputs == outputs and stride == (1, 1)
        self.is_depthwise = groups == outputs == inputs

    def weight(self, name, outputs, inputs, k):
        return wave(name + ".weight", outputs, inputs // self.groups, *k)

    def conv(self, x, name, outputs, k, stride, pad, dilation=(1, 1)):
        """With the padding where it is positive, and cut off where it is negative."""
        return F.conv2d(frame(x, pad), self.weight(name, outputs, x.shape[1], k), None, stride, 0, dilation, self.groups)

    def full(self, name):
        return self.conv(self.x, name, self.outputs, self.k, self.stride, self.pad, self.dilation)

    def point(self, name):
        return self.conv(self.x, name, self.outputs, (1, 1), self.stride, self.margin)


def frame(x, pad, value=0.0):
    """F.pad crops where it is given negative numbers."""
    return F.pad(x, (pad[1], pad[1], pad[0], pad[0]), value=value)


def norm(x, name):
    c = x.shape[1]
    return F.batch_norm(x, wave(name + ".running_mean", c), wave(name + ".running_var", c), wave(name + ".weight", c),
                        wave(name + ".bias", c), eps=EPSILON)


def padded_norm(x, name, pad):
    """The border holds what the norm makes of a zero."""
    c = x.shape[1]
    border = wave(name + ".bias", c) - wave(name + ".running_mean", c) * wave(name + ".weight", c) / torch.sqrt(
        wave(name + ".running_var", c) + EPSILON)
    n, _, h, w = x.shape
    result = border[None, :, None, None].expand(n, c, h + 2 * pad[0], w + 2 * pad[1]).clone()
    result[:, :, pad[0]:pad[0] + h, pad[1]:pad[1] + w] = norm(x, name)
    return result


def acnet(site):
    (kh, kw), (ph, pw), (mh, mw) = site.k, site.pad, site.margin
    row = site.conv(site.x, "row.conv", site.outputs, (1, kw), site.stride, (mh, pw), site.dilation)
    column = site.conv(site.x, "column.conv", site.outputs, (kh, 1), site.stride, (ph, mw), site.dilation)
    return norm(site.full("conv"), "norm") + norm(row, "row.norm") + norm(column, "column.norm")


def repvgg(site, copies=1):
    y = norm(site.full("conv"), "norm") + norm(site.point("point.conv"), "point.norm")
    for i in range(1, copies):
        y = y + norm(site.full(f"copy{i}.conv"), f"copy{i}.norm")
    return y + norm(frame(site.x, site.margin), "identity.norm") if site.keeps_shape else y


def mobileone(site):
    return repvgg(site, copies=4)


def window_mean(site, x):
    weights = torch.full((x.shape[1], 1, *site.k), 1 / (site.k[0] * site.k[1]))
    return F.conv2d(x, weights, None, site.stride, 0, site.dilation, x.shape[1])


def dbb(site):
    y = norm(site.full("conv"), "norm")
    if not site.is_depthwise:
        y = y + norm(site.point("point.conv"), "point.norm")
    width = 2 * site.inputs if site.is_depthwise else site.inputs
    first = site.weight("chain.point", width, site.inputs, (1, 1)).clone()
    per_group = site.inputs // site.groups
    for row in range(width):
        first[row, row % per_group] += 1
    inner = padded_norm(F.conv2d(site.x, first, groups=site.groups), "chain.point_norm", site.pad)
    chain = site.conv(inner, "chain.conv", site.outputs, site.k, site.stride, (0, 0), site.dilation)
    if site.is_depthwise:
        inner = frame(site.x, site.pad)
    else:
        point = site.conv(site.x, "average.point", site.outputs, (1, 1), (1, 1), (0, 0))
        inner = padded_norm(point, "average.point_norm", site.pad)
    return y + norm(chain, "chain.norm") + norm(window_mean(site, inner), "average.norm")


def orepa(site):
    """Each branch as a filter of its own, by loops."""
    o, i, g, (kh, kw) = site.outputs, site.inputs // site.groups, site.groups, site.k
    factor = lambda name: wave(name + ".factor", o)[:, None, None, None]
    weight = factor("origin") * wave("conv.weight", o, i, kh, kw)
    weight = weight + factor("average") * wave("average.weight", o, i, 1, 1) / (kh * kw)
    prior = torch.zeros(i, kh, kw)
    for c in range(i):
        for h in range(kh):
            for w in range(kw):
                half = i // 2
                prior[c, h, w] = (math.cos(math.pi * (h + 0.5) * (c + 1) / kh) if c < half else
                                  math.cos(math.pi * (w + 0.5) * (c + 1 - half) / kw))
    weight = weight + factor("frequency") * wave("frequency.weight", o, i, 1, 1) * prior
    first = wave("chain.point.weight", site.inputs, i, 1, 1)[:, :, 0, 0]
    second = wave("chain.conv.weight", o, i, kh, kw)
    depthwise = wave("separable.depthwise.weight", site.inputs * 8, 1, kh, kw)
    pointwise = wave("separable.point.weight", o, i * 8, 1, 1)
    chain, separable = torch.zeros(o, i, kh, kw), torch.zeros(o, i, kh, kw)
    for a in range(o):
        group = a // (o // g)
        for b in range(i):
            for m in range(i):
                chain[a, b] += second[a, m] * (first[group * i + m, b] + (1 if m == b else 0))
            for e in range(8):
                separable[a, b] += pointwise[a, b * 8 + e, 0, 0] * depthwise[(group * i + b) * 8 + e, 0]
    weight = weight + factor("chain") * chain + factor("separable") * separable
    weight[:, :, kh // 2, kw // 2] += (factor("point") * wave("point.weight", o, i, 1, 1))[:, :, 0, 0]
    return norm(F.conv2d(site.x, weight, None, site.stride, site.pad, site.dilation, g), "norm")


def main(site):
    return norm(site.full("conv"), "norm")


def dyrep_point(site):
    return main(site) + norm(site.point("point.conv"), "point.norm")


def dyrep_square(site):
    return main(site) + norm(site.full("square.conv"), "square.norm")


def dyrep_row(site):
    row = site.conv(site.x, "row.conv", site.outputs, (1, site.k[1]), site.stride, (site.margin[0], site.pad[1]),
                    site.dilation)
    return main(site) + norm(row, "row.norm")


def dyrep_column(site):
    column = site.conv(site.x, "column.conv", site.outputs, (site.k[0], 1), site.stride, (site.pad[0], site.margin[1]),
                       site.dilation)
    return main(site) + norm(column, "column.norm")


def dyrep_chain(site):
    first = F.conv2d(site.x, site.weight("chain.point", site.inputs, site.inputs, (1, 1)), groups=site.groups)
    inner = padded_norm(first, "chain.point_norm", site.pad)
    chain = site.conv(inner, "chain.conv", site.outputs, site.k, site.stride, (0, 0), site.dilation)
    return main(site) + norm(chain, "chain.norm")


def dyrep_average(site):
    point = site.conv(site.x, "average.point", site.outputs, (1, 1), (1, 1), (0, 0))
    inner = padded_norm(point, "average.point_norm", site.pad)
    return main(site) + norm(window_mean(site, inner), "average.norm")


def dyrep_identity(site):
    """Nothing where the image changes."""
    return main(site) + norm(frame(site.x, site.margin), "identity.norm") if site.keeps_shape else None


def dyrep_origin(site):
    return norm(site.full("conv"), "origin")


VARIANTS = {
    "plain": Site(4, 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "strided": Site(4, 6, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    "dilated": Site(4, 4, (3, 3), (1, 1), (2, 2), (2, 2), 1),
    "grouped": Site(4, 6, (3, 5), (2, 1), (1, 2), (1, 1), 2),
    "depthwise": Site(4, 4, (3, 3), (1, 1), (1, 1), (1, 1), 4),
    "depthwise_dilated": Site(4, 4, (3, 3), (2, 2), (2, 2), (2, 2), 4),
    "valid": Site(4, 4, (3, 3), (1, 1), (0, 0), (1, 1), 1),
    "large": Site(4, 6, (5, 5), (1, 1), (2, 2), (1, 1), 2),
    "large_cropped": Site(4, 4, (5, 5), (1, 1), (1, 1), (1, 1), 1),
    "large_framed": Site(4, 4, (5, 5), (1, 1), (3, 3), (1, 1), 1),
}
BLOCKS = [acnet, dbb, dyrep_average, dyrep_chain, dyrep_column, dyrep_identity, dyrep_origin, dyrep_point, dyrep_row,
          dyrep_square, mobileone, orepa, repvgg]

for block in BLOCKS:
    for name, site in VARIANTS.items():
        y = block(site)
        if y is None:
            continue
        # Sums that tell every place apart, and the shape.
        flat = y.flatten()
        index = torch.arange(flat.numel())
        values = [*y.shape, flat[0], flat[-1], flat.sum(), (flat * torch.cos(0.37 * index)).sum(), flat.abs().max()]
        print(f"{block.__name__} {name}:", *(f"{float(v):.15g}" for v in values))
