"""Whether weights are the averages of the last checkpoint of a run: check_averages.py RUN WEIGHTS"""

import glob
import json
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    return {name: data[slice(*entry["data_offsets"])] for name, entry in header.items() if name != "__metadata__"}


checkpoint, weights = read(sorted(glob.glob(sys.argv[1] + "/checkpoint-*.safetensors"))[-1]), read(sys.argv[2])
assert weights
for name, value in weights.items():
    assert value == checkpoint[name + "#average"], name
    assert value != checkpoint[name], name
