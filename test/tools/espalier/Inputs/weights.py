"""Copies a safetensors file of f32 with a change: weights.py IN OUT nan NAME | rename NAME NEW | drop NAME..."""
import json
import struct
import sys

source, target, change, *names = sys.argv[1:]
with open(source, "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    data = bytearray(file.read())
if change == "nan":
    begin = header[names[0]]["data_offsets"][0]
    data[begin:begin + 4] = struct.pack("<f", float("nan"))
elif change == "rename":
    header[names[1].encode().decode("unicode_escape")] = header.pop(names[0])
else: # the gap is filled by a tensor that nobody asks for
    for i, name in enumerate(names):
        header[f"unused{i}"] = header.pop(name)
text = json.dumps(header).encode()
with open(target, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
