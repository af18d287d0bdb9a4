"""Checks that two float64 arrays are equal to a part of the first one's norm: compare_arrays.py A.npy B.npy TOLERANCE."""

import array
import math
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    if b"'<f8'" not in data[:start]:
        sys.exit(f"{path} is not of float64")
    return array.array("d", data[start:])


first, second = read(sys.argv[1]), read(sys.argv[2])
norm = math.sqrt(sum(a * a for a in first))
distance = math.sqrt(sum((a - b) ** 2 for a, b in zip(first, second))) if len(first) == len(second) else math.inf
if not (norm > 0 and distance <= float(sys.argv[3]) * norm):
    sys.exit(f"the arrays differ by {distance}, and the norm is {norm}")
print("equal")
