"""Prints the relative distance of two safetensors files over all their f32 tensors together."""

import array
import json
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = array.array("f", data[begin:end])
    return tensors


a, b = read(sys.argv[1]), read(sys.argv[2])
assert a.keys() == b.keys()
difference = sum((x - y) ** 2 for name in a for x, y in zip(a[name], b[name]))
print(f"distance {(difference / sum(y * y for name in b for y in b[name])) ** 0.5:.4f}")
