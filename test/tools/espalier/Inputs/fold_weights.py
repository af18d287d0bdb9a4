"""Weights for fold.esp: fold_weights.py make OUT, or fold_weights.py IN OUT TENSOR CHANGE.

CHANGE is `drop`, `all=NUMBER`, or `PLACE=NUMBER` for one number of the tensor.
"""

import json
import random
import struct
import sys


def write(path, tensors):
    header, data = {}, b""
    for name, (shape, numbers) in sorted(tensors.items()):
        end = len(data) + 4 * len(numbers)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), end]}
        data += struct.pack(f"<{len(numbers)}f", *numbers)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = (entry["shape"], list(struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])))
    return tensors


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
        tensors[name] = (shape, [random.uniform(low, 1) for _ in range(count)])
    return tensors


if sys.argv[1] == "make":
    write(sys.argv[2], make())
else:
    source, target, name, change = sys.argv[1:]
    tensors = read(source)
    if change == "drop":
        del tensors[name]
    else:
        place, number = change.split("=")
        numbers = tensors[name][1]
        for index in range(len(numbers)) if place == "all" else [int(place)]:
            numbers[index] = float(number)
    write(target, tensors)
