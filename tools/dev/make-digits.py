#!/usr/bin/env python3
"""Makes examples/quickstart/digits and examples/quickstart/images from the UCI handwritten digits.

The source is the file that Debian's python3-sklearn carries, a line of 64 pixels (0..16) and the label per image:

    apt-get download python3-sklearn && dpkg -x python3-sklearn_*.deb sklearn
    tools/dev/make-digits.py sklearn/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz

The result depends on the input alone. Every fifth image of each class goes into the test set, the others into the
training set, both in the order of the source, which has the 13 writers one after the other: so both sets have every
class in the same share, and every writer.
"""

import csv
import gzip
import hashlib
import io
import pathlib
import struct
import sys
import zlib

SOURCE_SHA256 = "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"
SIDE = 8


def write_idx(path, dims, data):
    """A gzip file of unsigned bytes in IDX format, without name and time stamp."""
    header = struct.pack(f">BBBB{len(dims)}I", 0, 0, 8, len(dims), *dims)
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as compressed:
        compressed.write(header + data)


def write_png(path, pixels):
    """An 8-bit grey PNG."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[y * SIDE : (y + 1) * SIDE] for y in range(SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} digits.csv.gz")
    source = pathlib.Path(sys.argv[1]).read_bytes()
    if hashlib.sha256(source).hexdigest() != SOURCE_SHA256:
        sys.exit(f"{sys.argv[1]}: not the file this script was written for (SHA-256 differs)")
    target = pathlib.Path(__file__).resolve().parents[2] / "examples" / "quickstart"

    seen = [0] * 10
    splits = {"train": [], "t10k": []}
    for row in csv.reader(io.StringIO(gzip.decompress(source).decode())):
        label = int(row[-1])
        pixels = bytes(round(int(value) * 255 / 16) for value in row[:-1])
        split = "t10k" if seen[label] % 5 == 4 else "train"
        if split == "t10k" and seen[label] == 4:
            write_png(target / "images" / f"{label}.png", pixels)
        seen[label] += 1
        splits[split].append((pixels, label))

    for name, samples in splits.items():
        images = b"".join(pixels for pixels, _ in samples)
        labels = bytes(label for _, label in samples)
        write_idx(target / "digits" / f"{name}-images-idx3-ubyte.gz", (len(samples), SIDE, SIDE), images)
        write_idx(target / "digits" / f"{name}-labels-idx1-ubyte.gz", (len(samples),), labels)
        print(f"{name}: {len(samples)} images")


if __name__ == "__main__":
    main()
