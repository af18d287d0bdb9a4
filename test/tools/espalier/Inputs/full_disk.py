"""Trains while files may not grow beyond a few bytes, as on a disk that is full, once with each --on-write-error."""
import os
import resource
import subprocess
import sys
import time

recipe = sys.argv[1]
command = ["espalier", "train", "--recipe", recipe, "--arch", "tiny", "--json", "--epochs", "400"]
for policy in ("stop", "continue"):
    process = subprocess.Popen([*command, "--run", policy, "--on-write-error", policy, "-o", policy + ".safetensors"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not os.path.exists(os.path.join(policy, "checkpoint-20.safetensors")):
        time.sleep(0.002)
    # Weights alone are smaller than a checkpoint of the same net.
    limit = 4000
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    text = process.communicate()[1]
    print(f"{policy}: exit code {process.returncode}")
    for line in text.splitlines():
        if line.startswith(("error", "warning")):
            print(line)
    if os.path.exists(policy + ".safetensors"):
        print("weights are written")
code = subprocess.run([*command, "--run", "stop", "--resume", "--quiet"], stdout=subprocess.DEVNULL).returncode
print(f"resumed: exit code {code}")
