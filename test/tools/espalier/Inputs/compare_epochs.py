"""Compares the figures of two runs' epochs: compare_epochs.py A.json B.json TOLERANCE"""

import json
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


a, b = read(sys.argv[1]), read(sys.argv[2])
assert len(a) == len(b) > 0
for first, second in zip(a, b):
    for part in "train", "test":
        for name, value in first[part].items():
            assert abs(value - second[part][name]) <= float(sys.argv[3]) * max(1, abs(value)), (part, name, first, second)
