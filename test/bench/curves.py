"""Trains CIFAR ResNet-20 with Espalier and with PyTorch, epoch by epoch, by the same recipe from the same initial weights.

    python3 test/bench/curves.py --data FOLDER [--build build/dev] [--epochs 5] [--seeds 3] [--threads 2] [--precision f32]

FOLDER holds CIFAR-10 or CIFAR-100 in binary form, gzipped or not. First, one step on 128 images of the set: in float32 the
losses may differ by 1e-5, and our new weights may be twice as far from PyTorch's in float64 as its own are. Then whole
runs: SGD with momentum, cosine, no augmentation; the sides draw the order of the images from generators of their own. PyTorch
(and, to read the run's event file, TensorBoard) come from PyPI into build/bench-env.
"""

import argparse
import csv
import glob
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile

from harness import ROOT, enter_environment

RECIPE = {"optimiser": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "cosine", "batch": 128}
TOML = "".join(f"{key} = {json.dumps(value)}\n" for key, value in RECIPE.items())


def read_cifar(folder, part):
    import numpy

    path = glob.glob(os.path.join(folder, part + ".bin*"))[0]
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        data = numpy.frombuffer(file.read(), numpy.uint8)
    labels = 2 if len(data) % 3074 == 0 and class_count(folder) == 100 else 1
    rows = data.reshape(-1, labels + 3072)
    return rows[:, labels:].reshape(-1, 3, 32, 32), rows[:, labels - 1].astype("int64")


def class_count(folder):
    with open(os.path.join(folder, "classes.txt")) as file:
        return len(file.read().splitlines())


class Peer:
    """PyTorch's side: the same network, normalisation, optimiser and schedule."""

    def __init__(self, options, classes, seed):
        import torch

        sys.path.insert(0, os.path.join(ROOT, "tools", "dev", "goldens"))
        from pytorch_nets import ResNet20

        torch.set_num_threads(options.threads)
        torch.manual_seed(seed)
        self.torch, self.bf16 = torch, options.precision == "bf16"
        self.net = ResNet20()
        self.net.fc = torch.nn.Linear(64, classes)
        self.net = self.net.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), RECIPE["learning_rate"], RECIPE["momentum"], weight_decay=RECIPE["weight_decay"]
        )

    def save(self, path):
        from safetensors.torch import save_file

        save_file({name: tensor.contiguous() for name, tensor in self.net.state_dict().items()}, path)

    def step(self, images, labels):
        torch = self.torch
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = torch.nn.functional.cross_entropy(self.net(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def accuracy(self, images, labels):
        torch = self.torch
        self.net.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            right = sum((self.net(i).argmax(1) == l).sum().item() for i, l in zip(images.split(500), labels.split(500)))
        self.net.train()
        return 100 * right / len(labels)

    def train(self, train, test, epochs):
        torch = self.torch
        steps = len(train[1]) // RECIPE["batch"]
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, epochs * steps)
        for _ in range(epochs):
            order, losses = torch.randperm(len(train[1])), []
            for index in range(steps):
                batch = order[index * RECIPE["batch"] : (index + 1) * RECIPE["batch"]]
                losses.append(self.step(train[0][batch], train[1][batch]))
                schedule.step()
            yield statistics.mean(losses), self.accuracy(*test)


def espalier_train(options, network, data, weights, run, *extra):
    recipe = run + ".toml"
    with open(recipe, "w") as file:
        file.write(TOML)
    command = [os.path.join(ROOT, options.build, "bin", "espalier"), "train", network, "--recipe", recipe, "--data", data]
    command += ["--weights", weights, "--run", run, "--threads", str(options.threads), "--quiet", *extra]
    command += ["--precision", options.precision] if options.precision != "f32" else []
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def first_step(options, network, images, labels, scale):
    """Both sides take one step on the same batch; a batch is a mean, so the order in it does not matter.

    Returns the relative difference of the losses, and the largest distance of a tensor of the new weights from PyTorch's
    float64 ones, as a share of its norm, of ours and of PyTorch's own in the precision of the run.
    """
    import numpy
    from safetensors.numpy import load_file

    with tempfile.TemporaryDirectory() as folder:
        for part in ["train", "test"]:
            numpy.save(os.path.join(folder, f"{part}_images.npy"), images)
            numpy.save(os.path.join(folder, f"{part}_labels.npy"), labels)
        peer, exact = Peer(options, class_count(options.data), 0), Peer(options, class_count(options.data), 0)
        exact.bf16 = False
        exact.net.double()
        peer.save(os.path.join(folder, "initial.safetensors"))
        run, result = os.path.join(folder, "run"), os.path.join(folder, "result.safetensors")
        extra = ["--epochs", "1", "-o", result]
        for key, values in zip(["mean", "std"], scale):
            extra += ["--set", f"{key}={json.dumps(values)}"]
        espalier_train(options, network, folder, os.path.join(folder, "initial.safetensors"), run, *extra)
        pixels, labels = normalise(images, scale), peer.torch.from_numpy(labels)
        loss = peer.step(pixels, labels)
        exact.step(pixels.double(), labels)
        ours, distances = load_file(result), [0, 0]
        theirs = peer.net.state_dict()
        for name, tensor in exact.net.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            values = tensor.numpy()
            for side, other in enumerate([ours[name], theirs[name].numpy()]):
                distances[side] = max(distances[side], numpy.linalg.norm(other - values) / numpy.linalg.norm(values))
        return abs(epochs_of(run)[0][0] - loss) / loss, distances


def normalise(images, scale):
    import numpy
    import torch

    mean, deviation = (numpy.array(values, "float32").reshape(1, -1, 1, 1) for values in scale)
    return torch.from_numpy((images / numpy.float32(255) - mean) / deviation).to(memory_format=torch.channels_last)


def epochs_of(run):
    with open(os.path.join(run, "metrics.csv")) as file:
        return [(float(row["train_loss"]), 100 * float(row["test_accuracy"])) for row in csv.DictReader(file)]


def check_event_file(run, epochs):
    """TensorBoard's own reader has to see one value of the loss for each epoch."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(run)
    events.Reload()
    tags = events.Tags()["scalars"]
    values = [event.value for event in events.Scalars(next(tag for tag in tags if "loss" in tag and "train" in tag))]
    assert all(abs(a - b[0]) < 1e-6 * abs(a) for a, b in zip(values, epochs)) and len(values) == len(epochs), (values, epochs)
    print(f"TensorBoard reads {len(tags)} curves of {len(values)} epochs: {', '.join(sorted(tags))}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--build", default="build/dev")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    options = parser.parse_args()
    enter_environment()
    import numpy
    import torch

    train, test = read_cifar(options.data, "train"), read_cifar(options.data, "test")
    scaled = train[0].astype("float64") / 255
    scale = (scaled.mean(axis=(0, 2, 3)).tolist(), scaled.std(axis=(0, 2, 3)).tolist())
    classes = class_count(options.data)
    network = os.path.join(ROOT, "examples", "zoo", "cifar100_resnet20.esp" if classes == 100 else "cifar_resnet20.esp")
    with tempfile.TemporaryDirectory() as folder:
        # How many classes there are is read off the labels: one image is of the last one.
        batch = [int(numpy.argmax(train[1] == classes - 1)), *range(127)]
        difference, distances = first_step(options, network, train[0][batch], train[1][batch], scale)
        print(f"first step: the losses differ by {difference:.1e}; weights are as far from float64 as {distances[0]:.1e}", end="")
        print(f" of their norm, PyTorch's {distances[1]:.1e}", flush=True)

        pairs = [tuple((normalise(images, scale), torch.from_numpy(labels)) for images, labels in (train, test))]
        ours, theirs = [], []
        for seed in range(options.seeds):
            run, weights = os.path.join(folder, f"run{seed}"), os.path.join(folder, f"initial{seed}.safetensors")
            peer = Peer(options, classes, seed)
            peer.save(weights)
            extra = ["--epochs", str(options.epochs), "--set", f"seed={seed}"]
            espalier_train(options, network, options.data, weights, run, *extra)
            ours.append(epochs_of(run))
            theirs.append(list(peer.train(*pairs[0], options.epochs)))
            for number, (left, right) in enumerate(zip(ours[-1], theirs[-1]), 1):
                print(f"seed {seed}, epoch {number}: loss {left[0]:.3f} and {right[0]:.3f}, accuracy {left[1]:.2f} % and {right[1]:.2f} %", flush=True)
            if seed == 0:
                check_event_file(run, ours[-1])

    print(f"\n{options.seeds} seeds, mean ± sample deviation        espalier {options.precision:15} PyTorch {options.precision}")
    for epoch in range(options.epochs):
        cells = []
        for side in (ours, theirs):
            for column in (0, 1):
                values = [run[epoch][column] for run in side]
                spread = statistics.stdev(values) if len(values) > 1 else 0
                cells.append(f"{statistics.mean(values):7.3f} ± {spread:.3f}")
        print(f"epoch {epoch + 1:3}: loss, test accuracy %  {cells[0]}  {cells[1]}   {cells[2]}  {cells[3]}")
    if difference > (1e-5 if options.precision == "f32" else 1e-2) or distances[0] > 2 * distances[1]:
        sys.exit("the first steps differ by more than rounding")


main()
