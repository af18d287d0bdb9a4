"""Compares inference with onnxruntime on this machine, in one run, alternating, as ratios of medians.

    python3 test/bench/peers.py [--build build/release] [--rounds 5] [--threads 1] [--smoke]

The peers are installed from PyPI into build/bench-env. Networks are torchvision's with random weights; the time of a
network does not depend on their values. Ratios below 1 mean that Espalier is faster. --smoke runs one small network
once and needs no peer: it shows that the harness works. Training steps are compared by training.py.
"""

import argparse
import os
import statistics

from harness import ENVIRONMENT, enter_environment, espalier_bench, median_ms

NETS = ["resnet18", "resnet50", "mobilenet_v2"]


def onnxruntime_forward(net, threads):
    import numpy
    import onnxruntime
    import torch
    import torchvision

    os.makedirs(ENVIRONMENT, exist_ok=True)
    path = os.path.join(ENVIRONMENT, net + ".onnx")
    if not os.path.exists(path):
        model = getattr(torchvision.models, net)().eval()
        torch.onnx.export(model, torch.randn(1, 3, 224, 224), path, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: numpy.random.randn(1, 3, 224, 224).astype("float32")}
    return lambda: session.run(None, feed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()

    def ours(net, runs):
        flags = ["--random-weights", "--runs", str(runs)]
        return espalier_bench(options.build, f"examples/zoo/{net}.esp", options.threads, *flags)["median_ms"]

    if options.smoke:
        print(f"forward {ours('cifar_resnet20', 2):.2f} ms")
        return

    enter_environment()
    print(f"{'':34} {'espalier':>13} {'peer':>13}")
    for net in NETS:
        forward = onnxruntime_forward(net, options.threads)
        left, right = [], []
        for _ in range(options.rounds):
            left.append(ours(net, 10))
            right.append(median_ms(forward, 10))
        a, b = statistics.median(left), statistics.median(right)
        print(f"{net + ' forward, onnxruntime':34} {a:10.2f} ms {b:10.2f} ms   ratio {a / b:.2f}", flush=True)


main()
