"""Weights and tables for rename.test: rename.py write|check|zoo [ROOT]"""

import glob
import json
import math
import os
import subprocess
import sys

from safetensors_file import pack, read_file, read_tensors, write_tensors

SHAPES = {"stem.weight": [2, 1], "stem.bn.weight": [2], "stems.weight": [2], "head.weight": [2, 1, 1, 2], "other": [2], "other#average": [2]}


def make(shapes):
    tensors = {}
    for number, (name, shape) in enumerate(shapes.items()):
        tensors[name] = (shape, pack([number + i / 1024 for i in range(math.prod(shape))]))
    return tensors


def tables(**texts):
    for name, text in texts.items():
        with open(f"{name}.names", "w") as file:
            file.write(text)


if sys.argv[1] == "write":
    write_tensors("a.safetensors", make(SHAPES), metadata={"format": "pt"})
    tables(
        good="# comment\nstem layer.0  # another\nstem.bn layer.1\nhead fc flatten\n\nother other2",
        unused="stem layer\nste x\n",
        words="stem\n",
        twice="stem a\n\nstem b\n",
        clash="stem.bn.weight other\n",
    )
elif sys.argv[1] == "check":
    before, after = read_tensors("a.safetensors"), read_tensors("b.safetensors")
    expected = {
        "layer.0.weight": before["stem.weight"],
        "layer.1.weight": before["stem.bn.weight"],
        "stems.weight": before["stems.weight"],
        "fc.weight": ([2, 2], before["head.weight"][1]),
        "other2": before["other"],
        "other2#average": before["other#average"],
    }
    assert after == expected, after
    assert read_file("b.safetensors")[0]["__metadata__"] == {"format": "pt"}
else:
    zoo = os.path.join(sys.argv[2], "examples", "zoo")
    tested = 0
    for table in glob.glob(zoo + "/timm/*.names"):
        stem = os.path.basename(table)[: -len(".names")]
        nets = ["vgg11", "vgg11_bn", "vgg16", "vgg16_bn"] if stem == "vgg" else [stem]
        with open(table) as file:
            words = [line.split("#")[0].split() for line in file]
        targets = [line[1] for line in words if line]
        for net in nets:
            report = subprocess.run(["espalier", "cost", f"{zoo}/{net}.esp", "--json", "--by", "op"], capture_output=True, text=True)
            paths = [row["path"] for row in json.loads(report.stdout)["rows"] if row["op"] in ("cg.parameter", "cg.state")]
            for target in targets:
                assert any(path.startswith(target + ".") for path in paths), (net, target)
            for path in paths if stem != "vgg" else []:
                assert any(path.startswith(target + ".") for target in targets), (net, path)
            tested += 1
    assert tested == 6, tested
