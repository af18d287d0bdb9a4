"""Writes the golden files of test/Unit/Integration: gradients and training curves of PyTorch in float64.

    python3 tools/dev/goldens/gradients.py test/Unit/Integration/goldens        (needs torch and torchvision)

A golden holds, for each parameter, the norm of its gradient and its products with eight vectors of signs. Two gradients
that differ by d differ by about d in such products, so they stand for the whole tensor at a fraction of its size.
Weights, images and labels come from a hash that the test computes too.
"""

import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

from pytorch_nets import ResNet20

SIGN_VECTORS = 8


def splitmix64(x):
    with np.errstate(over="ignore"):
        x = (x + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return np.uint64(value)


def words(name, count):
    return splitmix64(fnv1a(name) ^ splitmix64(np.arange(count, dtype=np.uint64)))


def uniform(name, shape):
    """In [-1, 1), 53 bits."""
    count = int(np.prod(shape)) if shape else 1
    values = (words(name, count) >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0
    return torch.from_numpy(values.reshape(shape))


def signs(name, index, count):
    return torch.from_numpy(1.0 - 2.0 * (words(f"{name}/sign{index}", count) & np.uint64(1)).astype(np.float64))


def initial(name, shape):
    """Weights of variance 2 / fan_in; norm scales near 1, everything else near 0."""
    if len(shape) >= 2:
        fan_in = np.prod(shape[1:])
        return uniform(name, shape) * np.sqrt(6.0 / fan_in)
    if name.endswith("weight"):
        return 1.0 + 0.1 * uniform(name, shape)
    return 0.1 * uniform(name, shape)


def mobilenet_v2():
    net = torchvision.models.mobilenet_v2()
    net.classifier[0].p = 0.0  # dropout draws numbers of its own in each framework
    return net


def make(name, net, classes, batch, size, rate, steps):
    net = net.double().train()
    with torch.no_grad():
        for path, parameter in net.named_parameters():
            parameter.copy_(initial(path, tuple(parameter.shape)))
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
    golden = {"net": name, "batch": batch, "size": size, "learning_rate": rate, "gradients": {}, "losses": []}
    for step in range(steps):
        images = uniform(f"images{step}", (batch, 3, size, size))
        labels = torch.from_numpy((words(f"labels{step}", batch) % np.uint64(classes)).astype(np.int64))
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        if step == 0:
            for path, parameter in net.named_parameters():
                flat = parameter.grad.flatten()
                products = [float(flat @ signs(path, i, flat.numel())) for i in range(SIGN_VECTORS)]
                golden["gradients"][path] = [float(flat.norm()), *products]
        optimizer.step()
        golden["losses"].append(loss.item())
    golden["weights_after"] = {path: float(parameter.norm()) for path, parameter in net.named_parameters()}
    return golden


folder = sys.argv[1]
torch.set_num_threads(os.cpu_count())
# PyTorch's depthwise convolutions in float64 are slow: MobileNetV2 takes half a minute a step.
for name, net, classes, batch, size, rate, steps in [
    ("cifar_resnet20", ResNet20(), 10, 4, 32, 0.01, 50),
    ("mobilenet_v2", mobilenet_v2(), 1000, 4, 64, 0.001, 2),
]:
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump(make(name, net, classes, batch, size, rate, steps), file, indent=0)
        file.write("\n")
    print(name, "done")
