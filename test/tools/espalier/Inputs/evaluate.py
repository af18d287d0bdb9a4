"""Images and weights for evaluate.test: evaluate.py FOLDER [--compare]"""

import json
import random
import struct
import sys
import zlib

from safetensors_file import read_file, write_file

folder = sys.argv[1]


def write_png(name, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    with open(f"{folder}/{name}.png", "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def rewrite(name, evaluate):
    """The weights with other settings of evaluation; None removes them."""
    header, data = read_file(f"{folder}/w.safetensors")
    preprocessing = json.loads(header["__metadata__"]["espalier.preprocessing"])
    assert preprocessing.pop("evaluate") == {"centre_crop": {"size": 6}}
    assert (preprocessing["height"], preprocessing["width"]) == (6, 6)
    if evaluate is not None:
        preprocessing["evaluate"] = evaluate
    header["__metadata__"]["espalier.preprocessing"] = json.dumps(preprocessing)
    write_file(f"{folder}/{name}.safetensors", header, data)


def probabilities(name):
    with open(f"{folder}/{name}.json") as file:
        return json.load(file)[0]["classes"]


if "--compare" in sys.argv:
    assert probabilities("a") == probabilities("b") and len(probabilities("a")) == 10
    assert probabilities("a") != probabilities("c")
else:
    generator = random.Random(1)
    image = [[generator.randrange(256) for _ in range(12)] for _ in range(10)]
    write_png("image", image)
    write_png("middle", [row[3:9] for row in image[2:8]])
    write_png("small", [row[:5] for row in image[:5]])
    rewrite("plain", None)
    rewrite("random", {"flip": {"probability": 1}})
    rewrite("range", {"centre_crop": {"size": 0}})
    rewrite("key", {"centre_crop": {"size": 6, "sizes": 6}})
    rewrite("word", {"centre_crop": {"size": "6"}})
