"""What the benchmarks share: our side, medians, and an environment that has the peers."""

import json
import os
import statistics
import subprocess
import sys
import time
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENVIRONMENT = os.path.join(ROOT, "build", "bench-env")
PACKAGES = ["torch", "torchvision", "onnxruntime", "onnx", "numpy", "safetensors", "tensorboard"]


def espalier_bench(build, file, threads, *flags):
    """The report of `espalier bench` on a file whose path is relative to the root."""
    command = [os.path.join(ROOT, build, "bin", "espalier"), "bench", os.path.join(ROOT, file)]
    command += ["--threads", str(threads), "--json", *flags]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def median_ms(function, runs):
    """Of `runs` calls, after two that are not timed."""
    for _ in range(2):
        function()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def enter_environment():
    """Goes on in build/bench-env, made first if need be. With ESPALIER_BENCH_ENV set, whatever runs this has the peers."""
    python, stamp = os.path.join(ENVIRONMENT, "bin", "python"), os.path.join(ENVIRONMENT, "packages.json")
    if os.path.abspath(sys.prefix) == ENVIRONMENT or "ESPALIER_BENCH_ENV" in os.environ:
        return
    if not os.path.exists(stamp) or json.load(open(stamp)) != PACKAGES:
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        with open(stamp, "w") as file:  # the installation is whole
            json.dump(PACKAGES, file)
    os.execv(python, [python, *sys.argv])
