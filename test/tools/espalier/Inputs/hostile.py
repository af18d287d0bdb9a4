"""Feeds espalier damaged and malicious files of one format, and checks how it refuses them.

hostile.py FORMAT ROOT    (espalier and espalier-opt come from PATH)

Each case is a file (or a folder of a data set) made from a valid seed: truncated at many places, with bits flipped at fixed
places, with sizes that no machine has, nested deeply, of the wrong kind. For each the exit code has to be one that the case
allows, with one error that names the file, and the older file under the name of the output has to stay as it was. The seed
itself has to pass, else the cases would prove nothing. With HOSTILE_TIMES=1 the slowest cases are printed.
"""
import base64
import gzip
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

FORMAT, ROOT = sys.argv[1:]
SEED = 20240229
WRONG = {1}              # damage that cannot be read as anything else
# A flipped bit may leave a valid file, one that this build does not support, or a network that wants other flags.
UNSURE = {0, 1, 2, 3}
HUGE = 1 << 62

NET = "arch net(x: f32[N, 1, 8, 8]) -> f32[N, 2] { x |> global_avg_pool |> linear(2) as fc }\n"


# ---------------------------------------------------------------------- cases
def damaged(seed, truncations=24, flips=24, sure=True):
    """Truncations and bit flips of a file. Every file shorter than the seed is wrong if `sure`."""
    generator = random.Random(SEED)
    places = sorted({0, 1, 2, 4, 7, 8, 9, len(seed) - 1} | {generator.randrange(len(seed)) for _ in range(truncations)})
    for place in places:
        if place < len(seed):
            yield f"truncated at {place}", seed[:place], WRONG if sure or place == 0 else UNSURE
    for _ in range(flips):
        bit = generator.randrange(8 * len(seed))
        flipped = bytearray(seed)
        flipped[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit} flipped", bytes(flipped), UNSURE
    yield "zeros", bytes(len(seed)), WRONG
    yield "other content", b"\x7fELF" + bytes(generator.randrange(256) for _ in range(4096)), WRONG


def esp_cases(seed):
    yield from damaged(seed, sure=False)
    yield "NUL", seed[:30] + b"\0" + seed[30:], WRONG
    yield "not UTF-8", b"\xff\xfe" + seed, WRONG
    yield "deep parentheses", b"arch net(x: f32[N, 4]) -> f32[N, 4] { " + b"(" * 100_000 + b"x" + b")" * 100_000 + b" }", UNSURE
    yield "open parentheses", b"arch net(x: f32[N, 4]) -> f32[N, 4] { " + b"(" * 100_000, WRONG
    yield "open brackets", b"fn f(x) { y = " + b"[" * 100_000, WRONG
    yield "open braces", b"arch net(x: f32[N, 4]) -> f32[N, 4] { y = " + b"if true { " * 100_000, WRONG
    yield "huge extent", f"arch net(x: f32[{HUGE}, {HUGE}]) -> f32[1] {{ x |> relu }}".encode(), WRONG
    yield "huge product", f"arch net(x: f32[N, {HUGE}]) -> f32[N, 1] {{ x |> linear({HUGE}) as fc }}".encode(), WRONG
    yield "huge number", b"arch net(x: f32[N, 4]) -> f32[N, 4] { x |> linear(" + b"9" * 100_000 + b") as fc }", WRONG
    yield "huge loop", b"arch net(x: f32[N, 4]) -> f32[N, 4] { for i in range(4611686018427387904) { x = x |> relu } x }", WRONG
    yield "huge repeat", b"arch net(x: f32[N, 4]) -> f32[N, 4] { x |> repeat(4611686018427387904, relu) }", WRONG
    yield "block in itself", b"block b(x: f32[N, 4]) { x |> b }\narch net(x: f32[N, 4]) -> f32[N, 4] { x |> b }", WRONG
    yield "import of a folder", b'import "."\n' + seed, WRONG
    yield "import of itself", b'import "case.esp"\n' + seed, UNSURE
    yield "import of a device", b'import "/dev/zero"\n' + seed, WRONG


def mlir_cases(seed):
    yield from damaged(seed, sure=False)
    yield "NUL", seed[:30] + b"\0" + seed[30:], UNSURE
    yield "alias chain", "".join(f"!a{i} = tuple<!a{i - 1 if i else 0}>\n" for i in range(100_000)).encode(), WRONG
    yield "deep types", b"cg.graph @g(%x: " + b"tuple<" * 100_000, WRONG
    yield "deep attributes", b"module attributes {a = " + b"[" * 100_000 + b"]" * 100_000 + b"} {}", WRONG
    yield "deep modules", b"module {" * 5_000 + b"}" * 5_000, WRONG
    yield "very deep modules", b"module {" * 100_000 + b"}" * 100_000, WRONG
    huge = f"cg.graph @g(%x: tensor<{HUGE}x{HUGE}xf32>) -> tensor<{HUGE}x{HUGE}xf32> {{ %0 = cg.relu %x : tensor<{HUGE}x{HUGE}xf32> cg.return %0 : tensor<{HUGE}x{HUGE}xf32> }}"
    yield "huge extents", huge.encode(), WRONG
    yield "unknown phase", b'module attributes {cg.phase = "nowhere"} {}', WRONG
    yield "phase of a wrong kind", b"module attributes {cg.phase = 3} {}", WRONG
    yield "dimensions without names", b'cg.graph @g(%x: tensor<?x4xf32> {cg.dims = ["", ""]}) -> tensor<?x4xf32> { cg.return %x : tensor<?x4xf32> }', UNSURE


def bytecode_cases(seed):
    yield from damaged(seed, truncations=40, flips=80)
    yield "huge section", seed[:16] + b"\x00" + struct.pack("<Q", HUGE) + seed[16:], WRONG


def toml_cases(seed):
    # The folder of the data does not exist, so that nothing is trained where the recipe is valid after all.
    yield from ((name, content, {1, 3}) for name, content, _ in damaged(seed))
    yield "NUL", seed[:10] + b"\0" + seed[10:], WRONG
    yield "open lists", b"milestones = " + b"[" * 100_000, WRONG
    yield "deep lists", b"milestones = " + b"[" * 100_000 + b"]" * 100_000, WRONG
    yield "deep tables", b"a = " + b"{b = " * 100_000, WRONG
    yield "deep keys", b".".join([b"a"] * 100_000) + b" = 1", WRONG
    yield "huge number", b"batch = 4611686018427387904", WRONG
    yield "huge fraction", b"learning_rate = 1e999", WRONG
    yield "long line", b"optimiser = \"" + b"a" * 1_000_000 + b"\"", WRONG


def safetensors(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


PREPROCESSING = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5], "classes": ["a", "b"]}


def weights(preprocessing=json.dumps(PREPROCESSING)):
    return safetensors({"__metadata__": {"espalier.preprocessing": preprocessing},
                        "fc.bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                        "fc.weight": {"dtype": "F32", "shape": [2, 1], "data_offsets": [8, 16]}}, bytes(16))


def safetensors_cases(seed):
    yield from damaged(seed)
    yield "header longer than the file", struct.pack("<Q", len(seed) * 2) + seed[8:], WRONG
    yield "header of 2^63 bytes", struct.pack("<Q", 1 << 63) + seed[8:], WRONG
    entry = {"dtype": "F32", "shape": [HUGE], "data_offsets": [0, 16]}
    yield "huge extent", safetensors({"fc.bias": entry}, bytes(16)), WRONG
    yield "huge product", safetensors({"fc.bias": {**entry, "shape": [1 << 32, 1 << 32]}}, bytes(16)), WRONG
    yield "huge offsets", safetensors({"fc.bias": {**entry, "shape": [4], "data_offsets": [HUGE, HUGE + 16]}}, bytes(16)), WRONG
    yield "many tensors", safetensors({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}, b""), WRONG
    yield "overlap", safetensors({n: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for n in ("fc.bias", "b")}, bytes(8)), WRONG
    yield "deep header", safetensors(b"[" * 100_000, b""), WRONG
    yield "deep shape", safetensors(b'{"fc.bias":{"shape":' + b"[" * 100_000, b""), WRONG
    yield "deep preprocessing", weights("[" * 100_000 + "]" * 100_000), WRONG
    yield "open preprocessing", weights("{\"a\":" * 100_000), WRONG
    yield "no deviation", weights(json.dumps({**PREPROCESSING, "std": [0]})), WRONG
    yield "huge image", weights(json.dumps({**PREPROCESSING, "height": HUGE})), WRONG
    yield "NUL in a name", safetensors({"fc\0bias": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(16)), WRONG


def npy(header, data, version=b"\x01\x00"):
    text = header.encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def npy_header(descr="'<f4'", shape="(1, 1, 8, 8)"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"


def npy_cases(seed):
    yield from damaged(seed)
    yield "huge extent", npy(npy_header(shape=f"({HUGE},)"), bytes(64)), WRONG
    yield "huge product", npy(npy_header(shape=f"({1 << 32}, {1 << 32})"), bytes(64)), WRONG
    yield "extent beyond 64 bits", npy(npy_header(shape=f"({1 << 70},)"), bytes(64)), WRONG
    yield "deep shape", npy(npy_header(shape="(" * 60_000), b""), WRONG
    yield "objects", npy(npy_header(descr="'|O'"), b"\x80\x04."), {3}
    yield "records", npy(npy_header(descr="[('a', '<f4')]"), bytes(64)), {3}
    yield "more than it says", seed + b"more", WRONG
    yield "another shape", npy(npy_header(shape="(1, 1, 8, 7)"), bytes(224)), WRONG
    yield "header longer than the file", b"\x93NUMPY\x02\x00" + struct.pack("<I", 0xffffffff) + b"{", WRONG


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=8, height=8, rows=None, depth=8, colour=0):
    rows = bytes(height * (width + 1)) if rows is None else rows
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)) +
            png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))


def png_cases(seed):
    yield from damaged(seed)
    yield "huge image", png(0x7fffffff, 0x7fffffff, b"\0" * 100), WRONG
    yield "bomb", png(30_000, 30_000, bytes(50_000_000)), WRONG
    yield "more rows than it says", png(8, 8, bytes(100_000_000)), UNSURE
    yield "no pixels", png(0, 8), WRONG
    yield "huge chunk", seed[:33] + struct.pack(">I", 0x7fffffff) + b"tEXt" + seed[33:], WRONG
    bomb = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000)))
    yield "bomb in a comment", seed[:33] + bomb + seed[33:], UNSURE
    yield "unknown colour", png(colour=5), WRONG


# An 8x8 image in colours, quality 50: baseline.
JPEG = base64.b64decode("/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i"
                        "Z2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj"
                        "Y2NjY2NjY2P/wAARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAeEAABBAEFAAAAAAAAAAAAAAACAAED"
                        "BBEFEiExcf/EABUBAQEAAAAAAAAAAAAAAAAAAAME/8QAGxEAAQQDAAAAAAAAAAAAAAAAAQACAxEUMYH/2gAMAwEAAhEDEQA/AJRa"
                        "TVEGeChIZZ6MdrY95REQtnfSsxYhsX0r/9k=")


def jpeg_cases(seed):
    yield from ((n, c, UNSURE if "truncated" in n and len(c) > 20 else allowed) for n, c, allowed in damaged(seed))
    at = seed.index(b"\xff\xc0")
    yield "huge image", seed[:at + 5] + b"\xff\xff\xff\xff" + seed[at + 9:], UNSURE
    yield "no pixels", seed[:at + 5] + b"\0\0\0\0" + seed[at + 9:], WRONG


# ------------------------------------------------------------------ data sets
def idx(values, *shape, kind=8):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + values


def idx_folder(images=None, labels=None, suffix=""):
    images = idx(bytes(range(64)) * 4, 4, 8, 8) if images is None else images
    labels = idx(bytes([0, 1, 0, 1]), 4) if labels is None else labels
    folder = {}
    for split in ("train", "t10k"):
        folder[f"{split}-images-idx3-ubyte{suffix}"] = images
        folder[f"{split}-labels-idx1-ubyte{suffix}"] = labels
    return folder


def idx_cases(_):
    images, labels = idx(bytes(range(64)) * 4, 4, 8, 8), idx(bytes([0, 1, 0, 1]), 4)
    zeros = {1, 3} # elements of an unknown type
    for name, content, allowed in damaged(images):
        yield f"images {name}", idx_folder(images=content), zeros if name == "zeros" else allowed
    for name, content, allowed in damaged(labels, truncations=6, flips=12):
        yield f"labels {name}", idx_folder(labels=content), zeros if name == "zeros" else allowed
    packed = gzip.compress(images, mtime=0)
    for name, content, allowed in damaged(packed):
        yield f"compressed images {name}", idx_folder(images=content, labels=gzip.compress(labels), suffix=".gz"), zeros if name == "zeros" else allowed
    yield "huge images", idx_folder(images=idx(bytes(64), 0xffffffff, 0xffffffff, 0xffffffff)), WRONG
    yield "billions of images", idx_folder(images=idx(bytes(64), 0xffffffff, 8, 8)), WRONG
    yield "no images", idx_folder(images=idx(b"", 0, 8, 8), labels=idx(b"", 0)), WRONG
    yield "fewer labels", idx_folder(labels=idx(b"\0", 1)), WRONG
    yield "fractions", idx_folder(images=idx(bytes(1024), 4, 8, 8, kind=13)), {1, 3}
    bomb = gzip.compress(images + bytes(200_000_000), mtime=0)
    yield "bomb", idx_folder(images=bomb, labels=gzip.compress(labels), suffix=".gz"), WRONG
    yield "no files", {}, WRONG
    yield "a folder for a file", {**idx_folder(), "train-images-idx3-ubyte": None}, WRONG


def cifar_folder(batch=None, suffix=""):
    batch = b"".join(bytes([i]) + bytes(3072) for i in range(4)) if batch is None else batch
    return {f"{name}.bin{suffix}": batch for name in ("data_batch_1", "test_batch")}


def cifar_cases(_):
    batch = b"".join(bytes([i]) + bytes(3072) for i in range(4))
    # The format has no header: zeros are four images, and what lacks a record is a smaller set.
    for name, content, allowed in damaged(batch, flips=0):
        yield name, cifar_folder(content), UNSURE if name == "zeros" else allowed
    for name, content, allowed in damaged(gzip.compress(batch, mtime=0)):
        yield f"compressed, {name}", cifar_folder(content, ".gz"), UNSURE if name == "zeros" else allowed
    yield "label out of range", cifar_folder(bytes([200]) + batch[1:]), WRONG
    yield "bomb", cifar_folder(gzip.compress(bytes(600_000_000), compresslevel=1, mtime=0), ".gz"), WRONG
    yield "classes with NUL", {**cifar_folder(), "classes.txt": b"a\0b\n" * 10}, UNSURE
    yield "no classes", {**cifar_folder(), "classes.txt": b""}, UNSURE


def image_folder(image, name="0.png"):
    folder = {}
    for split in ("train", "test"):
        for label in ("a", "b"):
            folder[f"{split}/{label}/0.png"] = png()
        folder[f"{split}/b/{name}"] = image
    return folder


def folder_cases(_):
    for name, content, allowed in damaged(png(), truncations=8, flips=12):
        yield name, image_folder(content), allowed
    yield "image of another size", image_folder(png(4, 4), "1.png"), WRONG
    yield "bomb", image_folder(png(30_000, 30_000, bytes(50_000_000))), WRONG
    yield "a folder for an image", image_folder(None), UNSURE
    yield "no images", {"train/a": None, "test/a": None}, WRONG
    yield "no test images", {"train/a/0.png": png(), "train/b/0.png": png()}, WRONG


# ------------------------------------------------------------------ artifacts
def artifact(manifest, code, version=1):
    """An artifact with a right checksum."""
    text = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    tail = struct.pack("<QQ", len(text), len(code)) + text
    tail += bytes(-(len(tail) + 16) % 64) + code
    return b"\x89ESPX\r\n\x1a" + struct.pack("<II", version, zlib.crc32(tail)) + tail


def artifact_cases(seed):
    yield from ((n, c, WRONG if "flipped" in n else allowed) for n, c, allowed in damaged(seed, flips=0))
    generator = random.Random(SEED)
    for _ in range(24):
        bit = generator.randrange(8 * len(seed))
        flipped = bytearray(seed)
        flipped[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit} flipped", bytes(flipped), {1, 3}
    size, = struct.unpack_from("<Q", seed, 16)
    manifest = json.loads(seed[32:32 + size])
    code = seed[(32 + size + 63) // 64 * 64:]
    # All that follows has a right checksum.
    yield "another version", artifact(manifest, code, version=77), {3}
    yield "manifest of 2^63 bytes", seed[:16] + struct.pack("<Q", 1 << 63) + seed[24:], WRONG
    yield "deep manifest", artifact(b"[" * 100_000, code), WRONG
    yield "no manifest", artifact(b"", code), WRONG
    yield "no code", artifact(manifest, b""), WRONG
    yield "code of zeros", artifact(manifest, bytes(4096)), WRONG

    def changed(name, change):
        copy = json.loads(json.dumps(manifest))
        change(copy)
        return name, artifact(copy, code), WRONG if name not in ("no programs", "arena of 32 TiB") else {3, 4}
    program = next(i for i, p in enumerate(manifest["programs"]) if p["name"] == "forward")
    places = manifest["programs"][program]["places"]
    argument = next(i for i, p in enumerate(places) if p["kind"] == "argument")
    yield changed("huge extent", lambda m: m["programs"][program]["places"][argument].update(shape=[HUGE] * 4))
    yield changed("huge arena", lambda m: m["programs"][program].update(arena_bytes=HUGE))
    yield changed("arena of 32 TiB", lambda m: m["programs"][program].update(arena_bytes=1 << 45))
    yield changed("negative extent", lambda m: m["programs"][program]["places"][argument].update(shape=[-1] * 4))
    yield changed("wrong permutation", lambda m: m["programs"][program]["places"][argument].update(permutation=[0, 0, 0, 0]))
    yield changed("unknown role", lambda m: m["programs"][program]["places"][argument].update(role="king"))
    yield changed("unknown kernel", lambda m: m["kernels"][0].update(symbol="no such\u0000kernel"))
    yield changed("huge loop", lambda m: m["kernels"][0].update(extent=HUGE * 4))
    yield changed("no programs", lambda m: m.update(programs=[]))
    yield changed("programs of a wrong kind", lambda m: m.update(programs={"a": 1}))
    yield changed("deep metadata", lambda m: m.update(metadata=json.loads("[" * 500 + "]" * 500)))
    for row in range(len(manifest["programs"][program]["rows"])):
        for key, value in list(manifest["programs"][program]["rows"][row].items()):
            if isinstance(value, int) and not isinstance(value, bool):
                yield changed(f"row {row}: {key} out of range", lambda m: m["programs"][program]["rows"][row].update({key: 1 << 31}))


# -------------------------------------------------------------------- driving
def run(arguments, folder):
    start = time.monotonic()
    result = subprocess.run(["espalier", *arguments], cwd=folder, capture_output=True, timeout=60)
    return result.returncode, result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace"), time.monotonic() - start


def write(path, content):
    """A file; a folder of files for a dictionary; an empty folder for None."""
    if isinstance(content, bytes):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return
    os.makedirs(path, exist_ok=True)
    for name, inner in (content or {}).items():
        write(os.path.join(path, name), inner)


def make_seed(arguments, folder, name):
    subprocess.run(arguments, cwd=folder, check=True, capture_output=True)
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


with tempfile.TemporaryDirectory() as folder:
    write(f"{folder}/net.esp", NET.encode())
    write(f"{folder}/w.safetensors", weights())
    ONE = ["--threads", "1"]
    TRAIN = ["train", "net.esp", "--epochs", "1", "--batch", "2", *ONE]
    # Format -> name of the case's file, its valid content, the cases, the command without its output.
    formats = {
        "esp": ("case.esp", lambda: NET.encode(), esp_cases, ["cost", "case.esp"]),
        "mlir": ("case.mlir", lambda: make_seed(["espalier-opt", "net.esp", "-o", "s.mlir"], folder, "s.mlir"), mlir_cases,
                 ["compile", "case.mlir", "--to", "fused"]),
        "bytecode": ("case.mlirbc", lambda: make_seed(["espalier-opt", "net.esp", "--emit-bytecode", "-o", "s.mlirbc"], folder,
                                                      "s.mlirbc"), bytecode_cases, ["compile", "case.mlirbc", "--to", "fused"]),
        "toml": ("case.toml", lambda: b'optimiser = "sgd"\nlearning_rate = 0.1\nepochs = 3\nmilestones = [1, 2]\nmean = "auto"\n',
                 toml_cases, ["train", "net.esp", "--recipe", "case.toml", "--data", "case.toml.none"]),
        "safetensors": ("case.safetensors", weights, safetensors_cases,
                        ["run", "net.esp", "--weights", "case.safetensors", "--random-inputs", *ONE]),
        "npy": ("case.npy", lambda: npy(npy_header(), bytes(256)), npy_cases,
                ["run", "net.esp", "--random-weights", "--input", "case.npy", *ONE]),
        "png": ("case.png", png, png_cases, ["run", "net.esp", "--weights", "w.safetensors", "case.png", *ONE]),
        "jpeg": ("case.jpg", lambda: JPEG, jpeg_cases, ["run", "net.esp", "--weights", "w.safetensors", "case.jpg", *ONE]),
        "idx": ("case", idx_folder, idx_cases, [*TRAIN, "--data", "case"]),
        "cifar": ("case", cifar_folder, cifar_cases,
                  ["train", "cifar.esp", "--epochs", "1", "--batch", "2", *ONE, "--data", "case"]),
        "folder": ("case", lambda: image_folder(png()), folder_cases, [*TRAIN, "--data", "case"]),
        "espx": ("case.espx", lambda: make_seed(["espalier", "compile", "net.esp", "-o", "s.espx"], folder, "s.espx"),
                 artifact_cases, ["run", "case.espx", "--random-weights", "--random-inputs", *ONE]),
    }
    write(f"{folder}/cifar.esp", NET.replace("1, 8, 8", "3, 32, 32").replace("linear(2)", "linear(10)").replace("N, 2]", "N, 10]").encode())
    name, make, cases, command = formats[FORMAT]
    # Classes of image files go to standard output alone.
    output = [] if FORMAT in ("png", "jpeg") else ["-o", "out"]
    seed = make()
    path = os.path.join(folder, name)
    problems, times = [], []

    def check(case, allowed, argument=None):
        write(f"{folder}/out", b"older")
        before = sorted(os.listdir(folder))
        arguments = [argument if a == name and argument else a for a in command] + output
        try:
            code, out, err, seconds = run(arguments, folder)
        except subprocess.TimeoutExpired:
            problems.append(f"{case}: takes more than a minute")
            return
        times.append((seconds, case))
        with open(f"{folder}/out", "rb") as file:
            kept = file.read() == b"older"
        errors = re.findall(r"^(?:\S.*:\d+:\d+: )?error: (.*)", err, re.M)
        stem = os.path.basename(argument or name)
        if code not in allowed:
            problems.append(f"{case}: exit code {code}, expected {sorted(allowed)}: {err[:300]!r}")
        elif code and FORMAT not in ("esp", "mlir") and len(errors) != 1:
            problems.append(f"{case}: expected one error, but got {len(errors)}: {err[:600]!r}")
        elif code and not errors:
            problems.append(f"{case}: no error: {err[:300]!r}")
        elif code and code != 2 and stem not in err:
            problems.append(f"{case}: the message does not name {stem}: {err[:300]!r}")
        elif code and len(err) > 4000 and FORMAT != "esp":
            problems.append(f"{case}: {len(err)} bytes of messages: {err[:300]!r}")
        elif code and (not kept or out or sorted(os.listdir(folder)) != before):
            problems.append(f"{case}: something was written: {out[:100]!r} {sorted(os.listdir(folder))}")

    write(path, seed)
    check("seed", {1} if FORMAT == "toml" else {0})
    number = 0
    for case, content, allowed in cases(seed):
        number += 1
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        write(path, content)
        check(case, allowed)
    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    suffix = os.path.splitext(name)[1]
    if suffix:
        os.makedirs(f"{folder}/folder{suffix}")
        check("a folder", WRONG, f"folder{suffix}")
        os.symlink("/dev/null", f"{folder}/null{suffix}")
        check("a device", WRONG, f"null{suffix}")
        os.symlink("/dev/zero", f"{folder}/zero{suffix}")
        check("an endless device", WRONG, f"zero{suffix}")
        os.mkfifo(f"{folder}/pipe{suffix}")
        check("a pipe that nobody writes to", WRONG, f"pipe{suffix}")
        check("no file", WRONG, f"none{suffix}")

print("\n".join(problems[:20]))
print(f"{number} cases, {len(problems)} problems")
if os.environ.get("HOSTILE_TIMES"):
    print("\n".join(f"{seconds:.2f} s  {case}" for seconds, case in sorted(times)[-5:]))
sys.exit(bool(problems))
