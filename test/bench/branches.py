"""Times training steps with branches: as images that are added up, and folded in each step.

    python3 test/bench/branches.py [--build build/dev] [--net examples/zoo/cifar_resnet20.esp] [--batch 128]
                                   [--threads 1,2] [--precision f32] [--rounds 3] [--smoke]

For each block: the plain network, the network with the block, and the network with the block folded online with one norm behind
each sum (`branches.fold = "norms-after"`; `orepa` folds in its own file already). Medians of rounds that alternate; ratios to the
plain network, of the time of a step and of the memory that activations take.
"""

import argparse
import os
import statistics
import subprocess
import tempfile

from harness import ROOT, espalier_bench

BLOCKS = ["acnet", "repvgg", "dbb", "mobileone", "orepa"]


def tool(build, name):
    return os.path.join(ROOT, build, "bin", name)


def write_networks(options, folder):
    """A file by the name of each variant."""
    net = os.path.join(ROOT, options.net)
    files = {"plain": net}
    for block in BLOCKS:
        files[block] = os.path.join(folder, block + ".mlir")
        expand = [tool(options.build, "espalier"), "expand", net, "--block", block, "--loss", "cross_entropy", "--quiet"]
        subprocess.run([*expand, "-o", files[block]], check=True)
        if block != "orepa":
            folded = files[block + ", folded"] = os.path.join(folder, block + "-folded.mlir")
            command = [tool(options.build, "espalier-opt"), files[block], "--cg-fold-branches=online norms=after"]
            subprocess.run([*command, "-o", folded], check=True)
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/dev")
    parser.add_argument("--net", default="examples/zoo/cifar_resnet20.esp")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--smoke", action="store_true", help="the digits net, once")
    options = parser.parse_args()
    if options.smoke:
        options.net, options.batch, options.threads = "examples/quickstart/digits.esp", 32, [1]
        options.rounds = options.runs = 1

    arch = os.path.splitext(os.path.basename(options.net))[0]
    flags = ["--arch", arch, "--train", "--batch", str(options.batch), "--runs", str(options.runs)]
    flags += ["--precision", options.precision]
    with tempfile.TemporaryDirectory() as folder:
        files = write_networks(options, folder)
        for threads in options.threads:
            times, memory = {name: [] for name in files}, {}
            for _ in range(options.rounds):
                for name, file in files.items():
                    report = espalier_bench(options.build, file, threads, *flags)
                    times[name].append(report["median_ms"])
                    memory[name] = report["arena_bytes"] / 2**20
            print(f"{arch}, batch {options.batch}, {options.precision}, {threads} threads: ms a step (ratio), MiB of activations (ratio)")
            plain, least = statistics.median(times["plain"]), memory["plain"]
            for name in files:
                time = statistics.median(times[name])
                print(f"  {name:20} {time:8.1f} ({time / plain:.2f})  {memory[name]:7.0f} ({memory[name] / least:.2f})", flush=True)


main()
