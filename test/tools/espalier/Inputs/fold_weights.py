"""Weights for fold.esp: fold_weights.py make OUT, or fold_weights.py IN OUT TENSOR CHANGE.

CHANGE is `drop`, `all=NUMBER`, or `PLACE=NUMBER` for one number of the tensor.
"""

import random
import sys

from safetensors_file import pack, read_tensors, unpack, write_tensors


def make():
    random.seed(1)
    shapes = {"a.conv.weight": [8, 4, 3, 3], "b.conv.weight": [8, 4, 1, 1], "c.conv.weight": [6, 8, 3, 3], "c.conv.bias": [6]}
    for norm, channels in [("a.norm", 8), ("b.norm", 8), ("c.norm", 6)]:
        for part in ["weight", "bias", "running_mean", "running_var"]:
            shapes[f"{norm}.{part}"] = [channels]
    tensors = {}
    for name, shape in shapes.items():
        count = 1
        for extent in shape:
            count *= extent
        low = 0.1 if name.endswith("running_var") else -1
        tensors[name] = (shape, pack([random.uniform(low, 1) for _ in range(count)]))
    return tensors


if sys.argv[1] == "make":
    write_tensors(sys.argv[2], make())
else:
    source, target, name, change = sys.argv[1:]
    tensors = read_tensors(source)
    if change == "drop":
        del tensors[name]
    else:
        place, number = change.split("=")
        shape, content = tensors[name]
        numbers = unpack(content)
        for index in range(len(numbers)) if place == "all" else [int(place)]:
            numbers[index] = float(number)
        tensors[name] = (shape, pack(numbers))
    write_tensors(target, tensors)
