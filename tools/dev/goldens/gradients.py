"""Writes the golden files of test/Unit/Integration: gradients and training curves of PyTorch.

    python3 tools/dev/goldens/gradients.py test/Unit/Integration/goldens        (needs torch and torchvision)

A golden of a network of the zoo holds
- for each parameter, the norm of its float64 gradient and its products with eight vectors of signs. Two gradients that
  differ by d differ by about d in such products, so they stand for the whole tensor at a fraction of its size;
- losses and final norms of weights of a training run in float64;
- for each parameter, how far PyTorch's float32 gradient is from its float64 one;
- of cifar_resnet20, how far gradients and logits of PyTorch's bfloat16 autocast are.
Goldens of small_conv hold one training run for each optimiser. Weights, images and labels come from a hash that the
test computes too.
"""

import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pytorch_nets import ResNet20, SmallConv

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
    """In [-1, 1), of 24 bits: exact in float32."""
    count = int(np.prod(shape)) if shape else 1
    values = (words(name, count) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0
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


def initial_away_from_kinks(name, shape, shift):
    """With a shift > 0, normalised activations are mostly around it, those of every fourth channel around -shift, at a
    quarter of it. Where float32 is on the other side of a kink of relu or relu6 than float64, a gradient is off by a part
    in a thousand, by luck and whatever the implementation; in a deep network of standard-normal activations some
    always are."""
    values = initial(name, shape)
    if shift == 0 or len(shape) >= 2:
        return values
    if name.endswith("weight"):
        return values * (shift / 4)
    return values + torch.where(torch.arange(shape[0]) % 4 == 3, -shift, shift)


def mobilenet_v2():
    net = torchvision.models.mobilenet_v2()
    net.classifier[0].p = 0.0  # dropout draws numbers of its own in each framework
    return net


def load(net, start, dtype):
    net = net.to(dtype).train()
    with torch.no_grad():
        for path, parameter in net.named_parameters():
            parameter.copy_(start(path, tuple(parameter.shape)))
    return net


def batch_of(golden, classes, index):
    images = uniform(f"images{index}", (golden["batch"], 3, golden["size"], golden["size"]))
    labels = words(f"labels{index}", golden["batch"]) % np.uint64(classes)
    return images, torch.from_numpy(labels.astype(np.int64))


def gradients(golden, make, classes):
    net = load(make(), initial, torch.float64)
    images, labels = batch_of(golden, classes, 0)
    F.cross_entropy(net(images), labels).backward()
    golden["gradients"] = {}
    for path, parameter in net.named_parameters():
        flat = parameter.grad.flatten()
        products = [float(flat @ signs(path, i, flat.numel())) for i in range(SIGN_VECTORS)]
        golden["gradients"][path] = [float(flat.norm()), *products]


def curve(golden, net, classes, make_optimizer, steps=50, clip=None, parts=1, smoothing=0.0, average=None):
    """With `parts`, gradients of equal parts of each batch are added up. `clip` treats the sum. `average` makes the
    AveragedModel whose weights are written in place of the last ones."""
    net = load(net, initial, torch.float64)
    optimizer = make_optimizer(net)
    averaged = average(net) if average else None
    golden["losses"] = []
    for step in range(steps):
        images, labels = batch_of(golden, classes, step)
        optimizer.zero_grad()
        total = 0.0
        for part in zip(images.chunk(parts), labels.chunk(parts)):
            loss = F.cross_entropy(net(part[0]), part[1], label_smoothing=smoothing) / parts
            loss.backward()
            total += loss.item()
        if clip is not None:
            clip(net.parameters())
        optimizer.step()
        if averaged is not None:
            averaged.update_parameters(net)
        golden["losses"].append(total)
    final = averaged.module if averaged is not None else net
    golden["weights_after"] = {path: float(parameter.detach().norm()) for path, parameter in final.named_parameters()}


def rounding_errors(golden, make, classes, shift, batches, autocast=False):
    """Relative distance of float32 gradients, or those of bfloat16 autocast, from float64 ones, the median over batches,
    each with weights of its own. All start from the same numbers, which are exact in float32. See
    initial_away_from_kinks for `shift`."""
    golden["float32_shift"] = shift
    golden["float32_batches"] = batches

    errors = {}
    for index in range(batches):

        def start(path, shape):
            return initial_away_from_kinks(f"batch{index}/{path}", shape, shift).float()

        images, labels = batch_of(golden, classes, index)
        grads = []
        for dtype in (torch.float64, torch.float32):
            net = load(make(), start, dtype)
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast and dtype == torch.float32):
                loss = F.cross_entropy(net(images.to(dtype)), labels)
            loss.backward()
            grads.append({path: parameter.grad.double() for path, parameter in net.named_parameters()})
        for path, exact in grads[0].items():
            errors.setdefault(path, []).append(float((grads[1][path] - exact).norm() / exact.norm()))
    name = "bfloat16_errors" if autocast else "float32_errors"
    golden[name] = {path: float(np.median(values)) for path, values in errors.items()}


def logits_error(golden, make):
    """Relative distance of the logits of sixteen images under bfloat16 autocast from those in float64, in evaluation."""
    images = uniform("images0", (16, 3, golden["size"], golden["size"]))
    logits = []
    for dtype in (torch.float64, torch.float32):
        net = load(make(), lambda path, shape: initial(path, shape).float(), dtype).eval()
        for path, buffer in net.named_buffers():
            if buffer.dim() == 1:
                start = initial(path, tuple(buffer.shape)) + (1.0 if path.endswith("running_var") else 0.0)
                buffer.copy_(start.float())
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.float32):
            logits.append(net(images.to(dtype)).double())
    golden["bfloat16_logits_error"] = float((logits[1] - logits[0]).norm() / logits[0].norm())


def write(name, golden):
    with open(os.path.join(sys.argv[1], f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=0)
        file.write("\n")
    print(name, "done")


torch.set_num_threads(1)  # PyTorch's depthwise convolutions in float64 are far slower on two
for name, make, classes, batch, size, rate, shift, batches in [
    ("cifar_resnet20", ResNet20, 10, 4, 32, 0.01, 0.0, 9),
    ("mobilenet_v2", mobilenet_v2, 1000, 4, 40, 0.0001, 1.5, 5),
]:
    golden = {"batch": batch, "size": size, "learning_rate": rate}
    gradients(golden, make, classes)
    curve(golden, make(), classes, lambda net: torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4))
    rounding_errors(golden, make, classes, shift, batches)
    if name == "cifar_resnet20":
        rounding_errors(golden, make, classes, shift, batches, autocast=True)
        logits_error(golden, make)
    write(name, golden)



def grouped_sgd(net, lr):
    """No decay for norms and biases, but for those of fc, which learns at a tenth of the rate; conv2.bias is frozen."""
    parameters = dict(net.named_parameters())
    head = [parameters.pop("fc.weight"), parameters.pop("fc.bias")]
    parameters.pop("conv2.bias").requires_grad_(False)
    vectors = [p for p in parameters.values() if p.dim() <= 1]
    matrices = [p for p in parameters.values() if p.dim() > 1]
    groups = [{"params": head, "lr": 0.1 * lr, "weight_decay": 0.2}, {"params": vectors, "weight_decay": 0.0}, {"params": matrices}]
    return torch.optim.SGD(groups, lr=lr, momentum=0.9, weight_decay=0.05)


def timm_decay(averaged, current, num_averaged):
    """The moving average of timm's ModelEmaV3 with warm-up: the update after step t has the number t."""
    decay = min(0.95, 1 - (1 + num_averaged.item()) ** (-2 / 3))
    return torch.lerp(averaged, current, 1 - decay)


def momentum_sgd(net, lr):
    return torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)


def clip_norm(parameters):
    torch.nn.utils.clip_grad_norm_(parameters, 0.5)


def clip_value(parameters):
    torch.nn.utils.clip_grad_value_(parameters, 0.01)


for name, rate, optimizer, options in [
    (
        "nesterov",
        0.05,
        lambda net, lr: torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4),
        {},
    ),
    ("clip", 0.1, lambda net, lr: torch.optim.SGD(net.parameters(), lr=lr), {"clip": clip_norm}),
    ("clip_value", 0.1, lambda net, lr: torch.optim.SGD(net.parameters(), lr=lr, weight_decay=0.05), {"clip": clip_value}),
    ("adam", 0.01, lambda net, lr: torch.optim.Adam(net.parameters(), lr=lr, weight_decay=0.01), {}),
    ("adamw", 0.01, lambda net, lr: torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.1), {}),
    (
        "rmsprop",
        0.001,
        lambda net, lr: torch.optim.RMSprop(net.parameters(), lr=lr, momentum=0.9, eps=1e-3, weight_decay=0.01),
        {},
    ),
    (
        "rmsprop_centred",
        0.001,
        lambda net, lr: torch.optim.RMSprop(net.parameters(), lr=lr, alpha=0.9, eps=1e-3, centered=True),
        {},
    ),
    ("groups", 0.05, grouped_sgd, {}),
    ("smoothing", 0.05, momentum_sgd, {"smoothing": 0.1}),
    ("accumulate", 0.05, momentum_sgd, {"parts": 4, "clip": clip_norm}),
    (
        "average",
        0.05,
        momentum_sgd,
        {"average": lambda net: AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)},
    ),
    ("average_warmup", 0.05, momentum_sgd, {"average": lambda net: AveragedModel(net, avg_fn=timm_decay)}),
]:
    golden = {"batch": 8, "size": 12, "learning_rate": rate}
    curve(golden, SmallConv(), 10, lambda net: optimizer(net, rate), **options)
    write(f"small_conv.{name}", golden)
