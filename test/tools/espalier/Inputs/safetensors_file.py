"""Reading and writing safetensors files, for the scripts beside this one."""

import json
import struct


def read_file(path):
    """The header, with "__metadata__" if the file has it, and the bytes that its offsets count in."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        return header, file.read()


def write_file(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_tensors(path):
    """By name: the shape and the bytes."""
    header, data = read_file(path)
    return {name: (entry["shape"], data[slice(*entry["data_offsets"])]) for name, entry in header.items() if name != "__metadata__"}


def write_tensors(path, tensors, metadata=None):
    """`tensors` as `read_tensors` gives them, all f32."""
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, (shape, content) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    write_file(path, header, data)


def pack(numbers):
    return struct.pack(f"<{len(numbers)}f", *numbers)


def unpack(content):
    return list(struct.unpack(f"<{len(content) // 4}f", content))
