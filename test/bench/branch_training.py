"""Trains small networks plainly, with branches and with scaled gradients, and compares what comes out.

    python3 test/bench/branch_training.py --data FOLDER... [--networks resnet20,vgg7] [--epochs 8] [--seeds 3] [--precision bf16]
                                          [--threads 1] [--run FOLDER] [--build build/dev] [--table-only] [--smoke]

FOLDER holds CIFAR-10 or CIFAR-100. A run is one network, data set, seed and setting; all settings of a seed see the same images
in the same order. Runs that are finished are kept and one that was stopped goes on, so the same command goes on where it was
stopped. Prints a table for each network and data set: test accuracy after the last epoch, mean and sample deviation; the
difference to the plain run of the same seed; the time of a step, by the fastest epoch of all seeds; the peak memory of the
process; and the multiply-accumulates and parameters of the network that is deployed, after `espalier fold --verify`.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile

from harness import ROOT

SETTINGS = {
    "plain": [],
    "ACNet": ["branches.block=acnet"],
    "RepVGG": ["branches.block=repvgg"],
    "DBB": ["branches.block=dbb"],
    "OREPA, online": ["branches.block=orepa"],
    "SGS, mutual information": ["gradient_scaling.source=mutual-information", "gradient_scaling.interval=1"],
    "SGS, fixed as ACNet": ["gradient_scaling.source=fixed", "gradient_scaling.block=acnet"],
}

RECIPE = """batch = 128
optimiser = "sgd"
learning_rate = 0.1
momentum = 0.9
weight_decay = 5e-4
schedule = "cosine"
mean = "auto"
std = "auto"

[augment]
crop = {padding = 4}
flip = true
"""


class Comparison:
    """One network on one data set."""

    def __init__(self, options, data, network):
        self.options, self.data, self.network = options, data, os.path.join(ROOT, network)
        self.name = os.path.splitext(os.path.basename(network))[0]
        self.program = os.path.join(ROOT, options.build, "bin", "espalier")

    def run_of(self, setting, seed):
        words = setting.lower().replace(",", "").replace(" ", "-")
        return os.path.join(self.options.run, f"{self.name}-{self.options.epochs}-{self.options.precision}-{words}-{seed}")

    def weights_of(self, setting, seed):
        return self.run_of(setting, seed) + ".safetensors"

    def train(self, setting, seed):
        """Appears with its weights, which are written last."""
        run, weights = self.run_of(setting, seed), self.weights_of(setting, seed)
        if os.path.exists(weights):
            return
        command = [self.program, "train", "--run", run, "-o", weights, "--quiet"]
        if os.path.exists(os.path.join(run, "run.json")):
            command += ["--resume"]
        else:
            recipe = os.path.join(self.options.run, "recipe.toml")
            with open(recipe, "w") as file:
                file.write(RECIPE)
            command += [self.network, "--recipe", recipe, "--data", self.data]
            settings = [f"seed={seed}", f"epochs={self.options.epochs}", f"precision={self.options.precision}"]
            settings += [f"threads={self.options.threads}", *SETTINGS[setting]]
            command += [word for pair in settings for word in ("--set", pair)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def metrics(self, setting, seed):
        with open(os.path.join(self.run_of(setting, seed), "metrics.csv")) as file:
            return list(csv.DictReader(file))

    def deployed(self, setting):
        """Costs of one image in the folded network, from the weights of the first seed."""
        branches = any(word.startswith("branches.") for word in SETTINGS[setting])
        network = os.path.join(self.run_of(setting, 0), "network.mlir") if branches else self.network
        with tempfile.TemporaryDirectory() as folder:
            folded, weights = os.path.join(folder, "folded.mlir"), os.path.join(folder, "folded.safetensors")
            command = [self.program, "fold", network, "--arch", self.name, "--weights", self.weights_of(setting, 0), "--verify"]
            subprocess.run([*command, "-o", folded, "--out-weights", weights, "--quiet"], check=True, stdout=subprocess.DEVNULL)
            command = [self.program, "cost", folded, "--arch", self.name, "--json"]
            totals = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["totals"]
        return totals["macs"], totals["params"]

    def row(self, setting, seeds):
        runs = [self.metrics(setting, seed) for seed in seeds]
        accuracy = [100 * float(run[-1]["test_accuracy"]) for run in runs]
        plain = [100 * float(self.metrics("plain", seed)[-1]["test_accuracy"]) for seed in seeds]
        steps = int(runs[0][0]["step"])
        fastest = 1e3 * min(float(epoch["seconds"]) for run in runs for epoch in run) / steps
        memory = max(int(run[-1]["peak_bytes"]) for run in runs) / 2**20
        macs, params = self.deployed(setting)
        difference = "" if setting == "plain" else describe([ours - base for ours, base in zip(accuracy, plain)], "+.2f")
        return [setting, describe(accuracy, ".2f"), difference, f"{fastest:.0f}", f"{memory:.0f}", f"{macs:,}", f"{params:,}"]

    def print_table(self):
        """Of the seeds that all settings have."""
        seeds = [s for s in range(self.options.seeds) if all(os.path.exists(self.weights_of(name, s)) for name in SETTINGS)]
        if not seeds:
            return
        print(f"\n{self.name}, {self.options.epochs} epochs, {self.options.precision}, {len(seeds)} seeds\n")
        print("| | test accuracy, % | difference to plain | ms a step | peak MiB | MACs deployed | parameters deployed |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for setting in SETTINGS:
            print("| " + " | ".join(self.row(setting, seeds)) + " |", flush=True)


def networks_for(data, names):
    """The networks of these names with as many outputs as the data set has classes."""
    with open(os.path.join(data, "classes.txt")) as file:
        prefix = "cifar100" if len(file.read().splitlines()) == 100 else "cifar"
    return [f"examples/zoo/{prefix}_{name}.esp" for name in names.split(",")]


def describe(values, form):
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{form}}{spread}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=[])
    parser.add_argument("--networks", default="resnet20,vgg7")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--run", default="build/branch-training", help="folder of the runs")
    parser.add_argument("--build", default="build/dev")
    parser.add_argument("--table-only", action="store_true", help="of the runs that are finished")
    parser.add_argument("--smoke", action="store_true", help="the digits net on its own data, once")
    options = parser.parse_args()
    comparisons = [Comparison(options, data, file) for data in options.data for file in networks_for(data, options.networks)]
    if options.smoke:
        options.epochs = options.seeds = 1
        comparisons = [Comparison(options, os.path.join(ROOT, "examples/quickstart/digits"), "examples/quickstart/digits.esp")]
    if not comparisons:
        parser.error("no data: name a folder with --data")
    os.makedirs(options.run, exist_ok=True)
    if not options.table_only:
        for seed in range(options.seeds):
            for comparison in comparisons:
                for setting in SETTINGS:
                    comparison.train(setting, seed)
                    accuracy = 100 * float(comparison.metrics(setting, seed)[-1]["test_accuracy"])
                    print(f"{comparison.name}, seed {seed}, {setting}: {accuracy:.2f} %", flush=True)
    for comparison in comparisons:
        comparison.print_table()


if __name__ == "__main__":
    sys.exit(main())
