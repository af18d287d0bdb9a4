"""Copies a safetensors file of f32 with a change: weights.py IN OUT nan NAME | rename NAME NEW | drop NAME..."""

import struct
import sys

from safetensors_file import read_file, write_file

source, target, change, *names = sys.argv[1:]
header, data = read_file(source)
data = bytearray(data)
if change == "nan":
    begin = header[names[0]]["data_offsets"][0]
    data[begin:begin + 4] = struct.pack("<f", float("nan"))
elif change == "rename":
    header[names[1].encode().decode("unicode_escape")] = header.pop(names[0])
else: # the gap is filled by a tensor that nobody asks for
    for i, name in enumerate(names):
        header[f"unused{i}"] = header.pop(name)
write_file(target, header, data)
