"""Compares two gradient_scaling.csv: compare_gradient_scales.py A B TOLERANCE"""

import csv
import sys


def read(path):
    with open(path, newline="") as file:
        return {tuple(value for key, value in row.items() if key != "scale"): float(row["scale"]) for row in csv.DictReader(file)}


a, b = read(sys.argv[1]), read(sys.argv[2])
assert a and a.keys() == b.keys(), (a.keys(), b.keys())
for place, value in a.items():
    assert abs(value - b[place]) <= float(sys.argv[3]) * value, (place, value, b[place])
