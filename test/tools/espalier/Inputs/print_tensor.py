"""The elements of an f32 tensor of a safetensors file: print_tensor.py FILE NAME"""

import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    data = file.read()
if sys.argv[2] in header:
    begin, end = header[sys.argv[2]]["data_offsets"]
    print(*(f"{value:.7g}" for (value,) in struct.iter_unpack("<f", data[begin:end])))
else:
    print("no such tensor")
