"""Checks that the rows of `espalier cost --json` sum up to the totals, and their largest peak is the total's."""

import json
import sys

document = json.load(open(sys.argv[1]))
for report in [document] + ([document["train"]] if "train" in document else []):
    assert report["rows"], "no rows"
    for key, total in report["totals"].items():
        combine = max if key == "peak_activation_bytes" else sum
        parts = combine(row[key] for row in report["rows"])
        assert parts == total, f"{key}: rows give {parts}, the total is {total}"
