"""Runs espalier without a reader of its messages, and with standard descriptors closed: lost_streams.py RECIPE"""
import os
import signal
import subprocess
import sys

TRAIN = ["espalier", "train", "--recipe", sys.argv[1], "--arch", "tiny", "--epochs", "2", "--run"]


def close(*descriptors):
    def inChild():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for descriptor in descriptors:
            os.close(descriptor)
    return inChild


def run(name, arguments, **options):
    print(f"{name}: exit code {subprocess.run(arguments, **options).returncode}")


quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
read, write = os.pipe()
os.close(read)
run("messages to a pipe without a reader", [*TRAIN, "pipe"], stdout=subprocess.DEVNULL, stderr=write)
run("messages to a full disk", [*TRAIN, "full"], stdout=subprocess.DEVNULL, stderr=open("/dev/full", "wb"))
run("no messages", [*TRAIN, "two"], preexec_fn=close(2), stdout=subprocess.DEVNULL)
run("no output", [*TRAIN, "one"], preexec_fn=close(1), stderr=subprocess.DEVNULL)
run("nothing at all", [*TRAIN, "none"], preexec_fn=close(0, 1, 2))
run("an error that nobody hears", [*TRAIN, "error", "--set", "loss=nix"], stdout=subprocess.DEVNULL, stderr=open("/dev/full", "wb"))
run("a usage error", ["espalier", "nix"], stdout=subprocess.DEVNULL, stderr=open("/dev/full", "wb"))
# Nothing was written into a file that had got the number of a stream.
for folder in ("two", "one", "none"):
    run(f"what '{folder}' left", [*TRAIN[:-1], "--run", folder, "--resume"], **quiet)
