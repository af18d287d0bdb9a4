"""Compares training steps with PyTorch, eager and compiled, on this machine: time and peak memory, as ratios.

    python3 test/bench/training.py [--build build/release] [--nets cifar_resnet20,mlp] [--threads 1,2]
                                   [--precisions f32] [--rounds 3] [--warm] [--smoke]

A step is forward, backward and SGD with momentum and weight decay on one batch that stays where it is. The sides
alternate; each figure is a median over rounds. Both of PyTorch's run channels last with a fused optimiser, bf16 by
autocast; torch.compile has the model and the loss. The ratio of times is to the faster of the two, the ratio of
memory to the smaller. Below 1, Espalier is faster or smaller.

Memory is the peak resident set of a process that does nothing else: once in total, once less the peak of the same
process before its network exists (ours: `espalier --version`; theirs: after the imports). Ours compiles the network in
that process, so the compiler's memory counts; so does torch.compile's. Allocations are ours per step, the library's not.

--warm takes no figures: it lets torch.compile fill its cache. --smoke takes two steps of ours on small batches and
needs no peer: it shows that the harness works.
"""

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys

from harness import ENVIRONMENT, ROOT, enter_environment, espalier_bench

Net = collections.namedtuple("Net", "file batch runs")
NETS = {
    "cifar_resnet20": Net("examples/zoo/cifar_resnet20.esp", 128, 3),
    "cifar_resnet18": Net("examples/zoo/cifar_resnet18.esp", 128, 1),
    "cifar_vgg16": Net("examples/zoo/cifar_vgg16.esp", 128, 1),
    "resnet18": Net("examples/zoo/resnet18.esp", 8, 2),
    "mlp": Net("test/bench/mlp.esp", 128, 500),
}


class Peer:
    """A running training_peer.py."""

    def __init__(self, net, threads, precision, mode):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "training_peer.py")
        cache = os.path.join(ENVIRONMENT, "inductor")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", script, net, str(NETS[net].batch), str(threads), precision, mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_CACHE_DIR": cache},
        )
        self.idle_bytes = self.read()["peak_bytes"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"training.py: a peer ended with {self.process.wait()}")
        return json.loads(line)

    def run(self, runs):
        print(runs, file=self.process.stdin, flush=True)
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def our_step(build, net, threads, precision, batch, runs):
    flags = ["--train", "--batch", str(batch), "--runs", str(runs)]
    if precision != "f32":
        flags += ["--precision", precision]
    return espalier_bench(build, NETS[net].file, threads, *flags)


def our_idle_bytes(build):
    process = subprocess.Popen([os.path.join(ROOT, build, "bin", "espalier"), "--version"], stdout=subprocess.DEVNULL)
    return os.wait4(process.pid, 0)[2].ru_maxrss * 1024


def compare(options, net, threads, precision):
    runs = NETS[net].runs
    peers = [Peer(net, threads, precision, mode) for mode in ("eager", "compile")]
    rounds = []
    for _ in range(1 if options.warm else options.rounds):
        rounds.append([*(peer.run(runs) for peer in peers)])
        if not options.warm:
            rounds[-1].append(our_step(options.build, net, threads, precision, NETS[net].batch, runs))
    for peer in peers:
        peer.close()
    if options.warm:
        return
    eager, compiled, ours = (statistics.median(each["median_ms"] for each in side) for side in zip(*rounds))
    last = rounds[-1]
    total = [side.get("peak_rss_bytes", side.get("peak_bytes")) / 2**20 for side in last]
    idle = [peer.idle_bytes / 2**20 for peer in peers] + [our_idle_bytes(options.build) / 2**20]
    over = [a - b for a, b in zip(total, idle)]
    cells = [net, threads, precision, f"{ours:.3g}", f"{eager:.3g}", f"{compiled:.3g}", f"**{ours / min(eager, compiled):.2f}**"]
    cells += [f"{total[2]:.0f} ({over[2]:.0f})", f"{total[0]:.0f} ({over[0]:.0f})", f"{total[1]:.0f} ({over[1]:.0f})"]
    cells += [f"**{total[2] / min(total[:2]):.2f}** ({over[2] / min(over[:2]):.2f})", last[2]["allocations_per_run"]]
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--nets", default=",".join(NETS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--precisions", default="f32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()

    if options.smoke:
        for net in ("cifar_resnet20", "mlp"):
            ours = our_step(options.build, net, 1, "f32", batch=4, runs=2)
            print(f"{net} step {ours['median_ms']:.3f} ms, {ours['allocations_per_run']} allocations")
        return

    enter_environment()
    if not options.warm:
        print("| network | threads | precision | espalier, ms | eager, ms | compiled, ms | ratio"
              " | espalier, MiB (over idle) | eager | compiled | ratio | allocations |")
        print("|" + "---|" * 12)
    for net in options.nets.split(","):
        for precision in options.precisions.split(","):
            for threads in options.threads.split(","):
                compare(options, net, int(threads), precision)


main()
