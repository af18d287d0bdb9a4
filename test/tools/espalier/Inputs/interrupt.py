"""Interrupts a training run as Ctrl-C would: the exit code is 130, and no file is left. interrupt.py ROOT"""
import os
import signal
import subprocess
import sys
import tempfile

examples = os.path.join(sys.argv[1], "examples", "quickstart")
with tempfile.TemporaryDirectory() as folder:
    process = subprocess.Popen(["espalier", "train", f"{examples}/digits.esp", "--data", f"{examples}/digits", "--epochs",
                                "100000", "-o", f"{folder}/w.safetensors"], stderr=subprocess.PIPE)
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    code = process.wait()
    left = os.listdir(folder)
if code != 130 or left:
    sys.exit(f"expected exit code 130 and no file, but got {code} and {left}")
