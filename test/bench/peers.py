"""Compares Espalier with onnxruntime and PyTorch on this machine, in one run, alternating, as ratios of medians.

    python3 test/bench/peers.py [--build build/release] [--rounds 5] [--threads 1] [--smoke]

The peers are installed from PyPI into build/bench-env. Networks are torchvision's with random weights; the time of a
network does not depend on their values. Ratios below 1 mean that Espalier is faster. --smoke runs one small network
once and needs no peer: it shows that the harness works.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INFERENCE = ["resnet18", "resnet50", "mobilenet_v2"]


def espalier(build, net, threads, extra):
    command = [os.path.join(ROOT, build, "bin", "espalier"), "bench", os.path.join(ROOT, "examples", "zoo", net + ".esp")]
    command += ["--threads", str(threads), "--json", *extra]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["median_ms"]


def median_ms(function, runs):
    for _ in range(2):
        function()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def onnxruntime_forward(net, threads):
    import numpy
    import onnxruntime
    import torch
    import torchvision

    path = os.path.join(ROOT, "build", "bench-env", net + ".onnx")
    if not os.path.exists(path):
        model = getattr(torchvision.models, net)().eval()
        torch.onnx.export(model, torch.randn(1, 3, 224, 224), path, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: numpy.random.randn(1, 3, 224, 224).astype("float32")}
    return lambda: session.run(None, feed)


def pytorch_step(threads, batch):
    import torch

    sys.path.insert(0, os.path.join(ROOT, "tools", "dev", "goldens"))
    import pytorch_nets

    torch.set_num_threads(threads)
    net = pytorch_nets.ResNet20().train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    images = torch.randn(batch, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.zeros(batch, dtype=torch.int64)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()

    return step


def compare(name, ours, theirs, rounds, runs):
    """Alternates the sides; prints medians over rounds and their ratio."""
    a, b = [], []
    for _ in range(rounds):
        a.append(ours())
        b.append(median_ms(theirs, runs))
    left, right = statistics.median(a), statistics.median(b)
    print(f"{name:34} {left:10.2f} ms {right:10.2f} ms   ratio {left / right:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()

    if options.smoke:
        random = ["--random-weights", "--runs", "2"]
        print(f"forward {espalier(options.build, 'cifar_resnet20', 1, random):.2f} ms")
        print(f"step {espalier(options.build, 'cifar_resnet20', 1, ['--train', '--batch', '4', '--runs', '2']):.2f} ms")
        return

    environment = os.path.join(ROOT, "build", "bench-env")
    python = os.path.join(environment, "bin", "python")
    if os.path.abspath(sys.prefix) != environment and "ESPALIER_BENCH_ENV" not in os.environ:
        if not os.path.exists(python):
            venv.create(environment, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "-q", "torch", "torchvision", "onnxruntime", "onnx", "numpy"], check=True)
        os.execv(python, [python, *sys.argv])

    print(f"{'':34} {'espalier':>13} {'peer':>13}")
    for net in INFERENCE:
        ours = lambda: espalier(options.build, net, options.threads, ["--random-weights", "--runs", "10"])
        compare(f"{net} forward, onnxruntime", ours, onnxruntime_forward(net, options.threads), options.rounds, 10)
    ours = lambda: espalier(options.build, "cifar_resnet20", options.threads, ["--train", "--batch", "128", "--runs", "3"])
    compare("cifar_resnet20 step b128, PyTorch", ours, pytorch_step(options.threads, 128), options.rounds, 3)


main()
