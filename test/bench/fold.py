"""Times the folding of a large network of branches, on this machine.

    python3 test/bench/fold.py [--build build/release] [--net examples/zoo/resnet50.esp] [--block dbb] [--runs 9]

The network's convolutions become branches, with random weights. What is timed is what `espalier fold --verbose` says:
the graph is rewritten, the new weights are computed in float64 and rounded to float32; reading and writing files is
beside it. Multiply-accumulates are those of filters that are composed, which no order of work can avoid; the products
per second that this means can be held against the processor's peak in float64.
"""

import argparse
import os
import re
import statistics
import subprocess
import tempfile

from harness import ROOT


def main():
    parser = argparse.ArgumentParser(description="Times the folding of a large network of branches.")
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--net", default="examples/zoo/resnet50.esp")
    parser.add_argument("--block", default="dbb")
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    tool = os.path.join(ROOT, arguments.build, "bin", "espalier")

    with tempfile.TemporaryDirectory() as folder:
        branches, folded, weights = (os.path.join(folder, name) for name in ("branches.mlir", "f.mlir", "f.safetensors"))
        subprocess.run(
            [tool, "expand", os.path.join(ROOT, arguments.net), "--block", arguments.block, "-o", branches, "--quiet"],
            check=True,
        )
        materialized = subprocess.run(
            [tool + "-opt", branches, "--cg-fold-branches", "--cg-materialize-weights"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        macs = 0
        composition = r"cg\.conv2d_input_gradient .*?: tensor<([\dx]+)x[a-z]\w+>, tensor<([\dx]+)x[a-z]\w+>"
        for outer, inner in re.findall(composition, materialized):
            features, middle, height, width = map(int, outer.split("x"))
            _, channels, inner_height, inner_width = map(int, inner.split("x"))
            macs += features * middle * height * width * channels * inner_height * inner_width
        times = []
        for _ in range(arguments.runs):
            run = subprocess.run(
                [tool, "fold", branches, "--random-weights", "--verbose", "-o", folded, "--out-weights", weights],
                check=True,
                capture_output=True,
                text=True,
            )
            times.append(float(re.search(r"folded in ([\d.]+) ms", run.stderr).group(1)))
    median = statistics.median(times)
    print(f"{os.path.basename(arguments.net)}, {arguments.block}: {median:.0f} ms (of {len(times)} runs: {min(times):.0f} to {max(times):.0f})")
    print(f"composed filters: {macs / 1e9:.2f} G multiply-accumulates, {2e-6 * macs / median:.1f} GFLOP/s over all")


main()
