"""Writes test/Unit/Conversion/goldens/mutual_information.json: gradient scales of the procedure of Detkov et al. 2023
("Reparameterization through Spatial Gradient Scaling"), computed by NumPy in float64.

    python3 tools/dev/goldens/gradient_scaling.py test/Unit/Conversion/goldens        (needs numpy)

The images are feature maps of handwritten digits (examples/quickstart/digits): the digits themselves, and their edges by
four filters after a ReLU. Their values are integers, so that a test has them exactly. "waves" is a formula.
"""

import gzip
import json
import os
import sys

import numpy as np

FILTERS = {
    "rows": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
    "columns": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "spots": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "blur": [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
}


def pad(image, pads):
    top, left, bottom, right = pads
    return np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)))


def pairs(image, channel, down, right):
    """Values of the pixels (i, j), and of those at (i + down, j + right), where both are in the image."""
    plane = image[:, channel]
    rows, columns = plane.shape[1:]
    i, j = max(0, -down), max(0, -right)
    height, width = rows - abs(down), columns - abs(right)
    first = plane[:, i : i + height, j : j + width]
    second = plane[:, i + down : i + down + height, j + right : j + right + width]
    return first.ravel().astype(np.float64), second.ravel().astype(np.float64)


def entropy(counts):
    q = counts[counts > 0] / counts.sum()
    return -np.sum(q * np.log2(q))


def dependence(a, b, remove_diagonal):
    """Mutual information of two variables over their joint entropy."""
    if remove_diagonal:
        kept = (a != 0) & (b != 0)
        a, b = a[kept], b[kept]
        if a.size == 0:
            return 0.0
    bins = 1 + int(np.ceil(np.log2(a.size)))

    def indices(v):
        width = v.max() - v.min()
        if width == 0:
            return np.zeros(v.size, dtype=np.int64)
        return np.minimum(bins - 1, np.floor(bins * (v - v.min()) / width)).astype(np.int64)

    counts = np.zeros((bins, bins))
    np.add.at(counts, (indices(a), indices(b)), 1)
    if remove_diagonal:
        np.fill_diagonal(counts, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        joint = entropy(counts)
        value = (entropy(counts.sum(axis=1)) + entropy(counts.sum(axis=0)) - joint) / joint
    return 0.0 if remove_diagonal and np.isnan(value) else value


def dependences(images, window, dilations, remove_diagonal):
    """[channels, rows, columns]; pairs of several images count together."""
    channels = images[0].shape[1]
    result = np.ones((channels, *window))
    for channel in range(channels):
        for i in range(window[0]):
            for j in range(window[1]):
                offset = i - window[0] // 2, j - window[1] // 2
                if offset == (0, 0):
                    continue
                found = [
                    pairs(image, channel, offset[0] * dilation[0], offset[1] * dilation[1])
                    for image, dilation in zip(images, dilations)
                ]
                a, b = (np.concatenate(side) for side in zip(*found))
                result[channel, i, j] = dependence(a, b, remove_diagonal)
    return result


def gradient_scale(values, temperature):
    """Mean over channels, and over the window 1."""
    k = temperature
    flat = k * values / ((k - 1) * values + 1)
    matrix = np.nanmean(flat, axis=0)
    return matrix / matrix.mean()


def read_digits(count):
    """[count, 1, 8, 8]"""
    folder = os.path.join(os.path.dirname(__file__), "../../../examples/quickstart/digits")
    with gzip.open(os.path.join(folder, "train-images-idx3-ubyte.gz")) as file:
        pixels = np.frombuffer(file.read(), dtype=np.uint8)[16:]
    return pixels[: count * 64].reshape(count, 1, 8, 8).astype(np.int64)


def edges(image):
    """A map for each filter, and one that is 0."""
    padded = pad(image, (1, 1, 1, 1))[:, 0]
    maps = [np.zeros_like(image[:, 0])]
    for taps in FILTERS.values():
        total = sum(taps[i][j] * padded[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3))
        maps.append(np.maximum(total, 0))
    return np.stack(maps, axis=1)


def published_example():
    n, c, i, j = np.meshgrid(range(2), range(2), range(8), range(8), indexing="ij")
    return np.maximum(0, np.sin(0.35 * i + 0.5 * j + c) + 0.3 * np.cos(1.1 * i - 0.7 * j + n))


def main(folder):
    digits = read_digits(20)
    images = {
        "digits": digits,
        "edges": edges(digits[:12]),
        "pooled": edges(digits[12:])[:, :, ::2, 1::2],
        "waves": published_example(),
    }
    cases = []
    for names, window, padding, dilations, remove_diagonal, temperature in [
        (["waves"], (3, 3), [(1, 1, 1, 1)], [(1, 1)], False, 5),
        (["waves"], (3, 3), [(1, 1, 1, 1)], [(1, 1)], True, 5),
        (["waves"], (5, 5), [(2, 2, 2, 2)], [(1, 1)], False, 5),
        (["digits"], (3, 3), [(1, 1, 1, 1)], [(1, 1)], False, 5),
        (["digits"], (3, 5), [(0, 2, 1, 3)], [(1, 1)], True, 1),
        (["edges"], (3, 3), [(1, 1, 1, 1)], [(1, 1)], False, 5),
        (["edges"], (3, 3), [(1, 1, 1, 1)], [(1, 1)], True, 5),
        (["edges"], (5, 3), [(2, 2, 2, 2)], [(1, 2)], False, 2),
        (["edges", "pooled"], (3, 3), [(1, 1, 1, 1), (2, 2, 2, 2)], [(1, 1), (2, 2)], False, 5),
        (["edges", "pooled"], (3, 3), [(1, 1, 1, 1), (0, 0, 0, 0)], [(1, 1), (1, 1)], True, 5),
    ]:
        padded = [pad(images[name], pads) for name, pads in zip(names, padding)]
        found = dependences(padded, window, dilations, remove_diagonal)
        cases.append(
            {
                "images": names,
                "window": window,
                "pads": padding,
                "dilations": dilations,
                "remove_diagonal": remove_diagonal,
                "temperature": temperature,
                "dependence": [None if np.isnan(v) else v for v in found.ravel().tolist()],
                "scale": gradient_scale(found, temperature).ravel().tolist(),
            }
        )
    maps = {name: json.dumps({"shape": v.shape, "values": v.ravel().tolist()}) for name, v in images.items()}
    text = '{\n  "images": {\n' + ",\n".join(f'    "{name}": {value}' for name, value in maps.items()) + "\n  },\n"
    text += '  "cases": [\n' + ",\n".join("    " + json.dumps(case) for case in cases) + "\n  ]\n}\n"
    with open(os.path.join(folder, "mutual_information.json"), "w") as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1])
