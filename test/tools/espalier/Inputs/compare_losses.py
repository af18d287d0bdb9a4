"""Prints the relative difference of the test losses after two epochs: compare_losses.py METRICS.csv EPOCH EPOCH"""
import csv
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    losses = {int(row["epoch"]): float(row["test_loss"]) for row in csv.DictReader(file)}
first, second = (losses[int(epoch)] for epoch in sys.argv[2:])
difference = abs(first - second) / first
print(f"loss {first:.6f}, difference {difference:.1e}:", "equal" if difference < 2e-6 else "different")
