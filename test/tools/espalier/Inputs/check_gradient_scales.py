"""Checks gradient_scaling.csv: check_gradient_scales.py FILE EPOCHS FILTERS

Every filter has a matrix at every one of the epochs, and at no other: symmetric about its centre, which is largest, with
a mean of 1.
"""

import csv
import sys

matrices = {}
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        matrix = matrices.setdefault((int(row["epoch"]), row["filter"]), {})
        matrix[int(row["row"]), int(row["column"])] = float(row["scale"])

epochs, filters = [int(epoch) for epoch in sys.argv[2].split(",")], sys.argv[3].split(",")
assert sorted(matrices) == sorted((epoch, name) for epoch in epochs for name in filters), sorted(matrices)
for key, matrix in matrices.items():
    assert sorted(matrix) == [(i, j) for i in range(3) for j in range(3)], key
    assert abs(sum(matrix.values()) / 9 - 1) < 1e-6, (key, matrix)
    assert all(matrix[i, j] == matrix[2 - i, 2 - j] for i, j in matrix), (key, matrix)
    assert all(matrix[1, 1] > value for place, value in matrix.items() if place != (1, 1)), (key, matrix)
assert len({tuple(sorted(matrix.items())) for matrix in matrices.values()}) == len(matrices), "some are equal"
print("as they should be")
