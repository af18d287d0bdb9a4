"""Stops a short training run in every way there is, and checks that nothing is lost but the steps since the last
checkpoint.

checkpoints.py --root ROOT [--stops N] [--seed S]      (espalier comes from PATH)

A run of the handwritten digits is stopped at random moments, resumed and stopped again until it ends; then its weights
must equal, byte for byte, those of a run that nobody stopped. Then the next run begins, until there were N stops. Ways
to stop:

  interrupt     SIGINT or SIGTERM: exit code 130, and a checkpoint of the very step that was done
  twice         the same signal once more: leaves at once
  kill          SIGKILL at any moment, in the middle of a write too
  full          a limit on the size of files, below that of a checkpoint: exit code 4
  full-disk     a small tmpfs that another file fills, where the user may mount one: exit code 4
  cut           SIGKILL, then the newest checkpoint is cut at some byte: it is named, and the one before is taken
  flip          SIGKILL, then a byte of it is changed

Only the standard library of Python is used.
"""
import argparse
import collections
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NET = """
arch tiny(image: f32[N, 1, 8, 8]) -> f32[N, 10] {
  image |> conv(8, k = 3, bias = false) as conv |> batch_norm as bn |> relu |> dropout(0.1)
    |> global_avg_pool |> linear(10) as fc
}
"""
RECIPE = """
optimiser = "adamw"
learning_rate = 0.01
schedule = "cosine"
warmup_epochs = 1
epochs = 8
batch = 71
threads = 1
checkpoint_every = 7
"""
STEPS_PER_EPOCH = 20  # 1442 images in batches of 71
EPOCHS = 8


class Failure(Exception):
    pass


def expect(condition, *what):
    if not condition:
        raise Failure(" ".join(map(str, what)))


def read_header(path):
    """The JSON header of a safetensors file; None if the file is cut."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            return json.loads(file.read(length)), 8 + length
        except ValueError:
            return None, 0


def named_step(path):
    """The step in a checkpoint's name."""
    return int(os.path.basename(path)[len("checkpoint-"):-len(".safetensors")])


def step_of(path):
    """The step in a checkpoint's content."""
    header, _ = read_header(path)
    return json.loads(header["__metadata__"]["espalier.checkpoint"])["position"]["step"]


class Stress:
    def __init__(self, root, folder, rng):
        self.root, self.folder, self.rng = root, folder, rng
        self.counts = collections.Counter()
        self.net, self.recipe = os.path.join(folder, "tiny.esp"), os.path.join(folder, "tiny.toml")
        with open(self.net, "w") as file:
            file.write(NET)
        with open(self.recipe, "w") as file:
            file.write(RECIPE)
        self.disk = None
        self.checkpoint_bytes = 0

    def mount(self):
        """A small disk of its own, if this user may have one."""
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True).returncode == 0:
            self.disk = disk

    def unmount(self):
        if self.disk:
            subprocess.run(["umount", "-l", self.disk], check=True)

    def command(self, run, resume):
        return ["espalier", "train", self.net, "--recipe", self.recipe, "--data",
                os.path.join(self.root, "examples/quickstart/digits"), "--run", run, "--json",
                "-o", os.path.join(self.folder, "out.safetensors")] + (["--resume"] if resume else [])

    def start(self, run):
        resume = os.path.exists(os.path.join(run, "run.lock"))
        # The little that a run says fits the buffer of a pipe.
        return subprocess.Popen(self.command(run, resume), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def finish(self, process, what):
        """The exit code and the messages of a process that is about to end."""
        try:
            _, text = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(what, "did not end") from None
        return process.returncode, text

    def checkpoints(self, run):
        """Paths by step, rising."""
        names = [name for name in os.listdir(run) if name.startswith("checkpoint-") and name.endswith(".safetensors")]
        return [os.path.join(run, name) for name in sorted(names, key=named_step)]

    def wait_until_training(self, process, run, known, may_compile):
        """Returns some time after the process wrote a checkpoint, or when it ended; now and then at any moment, if the
        process may still be compiling then."""
        if may_compile and self.rng.random() < 0.1:
            time.sleep(self.rng.random())
            return
        while process.poll() is None and (not os.path.isdir(run) or self.checkpoints(run) == known):
            time.sleep(0.002)
        time.sleep(self.rng.random() * self.rng.choice([0.0, 0.02, 0.2]))

    def fill(self, path):
        """Takes all the room that a disk has."""
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(file, b"0" * 4096)
        except OSError:
            pass
        finally:
            os.close(file)

    def check_folder(self, run, before, way):
        """After a stop: every checkpoint is whole, none is older than those before, none went missing."""
        after = self.checkpoints(run)
        for path in after:
            header, data = read_header(path)
            expect(header is not None, way, path, "is damaged")
            end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
            expect(os.path.getsize(path) == data + end, way, path, "is cut")
        if before:
            expect(after and named_step(after[-1]) >= named_step(before[-1]), way, "lost", before[-1])

    def stop(self, run, way):
        """Starts or resumes `run` and stops it. Returns true if it ended before that."""
        before = self.checkpoints(run) if os.path.isdir(run) else []
        if way in ("cut", "flip") and not before:
            way = "kill"
        filler = os.path.join(os.path.dirname(run), "filler")
        process = self.start(run)
        self.wait_until_training(process, run, before, may_compile=not way.startswith("full"))
        if process.poll() is not None:
            pass
        elif way == "full":
            limit = self.rng.randrange(1, self.checkpoint_bytes)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        elif way == "full-disk":
            self.fill(filler)
        elif way in ("interrupt", "twice"):
            number = self.rng.choice([signal.SIGINT, signal.SIGTERM])
            process.send_signal(number)
            if way == "twice":
                time.sleep(self.rng.random() * 0.003)
                process.send_signal(number)
        elif way in ("kill", "cut", "flip"):
            process.kill()
        code, text = self.finish(process, way)
        if os.path.exists(filler):
            os.remove(filler)
        if code == 0:
            return True
        self.counts[way] += 1
        if way in ("interrupt", "twice"):
            # A signal before training begins meets the default action.
            expect(code in (130, -signal.SIGINT, -signal.SIGTERM), way, "exits with", code, text)
        elif way.startswith("full"):
            expect(code == 4 and "error: " in text, way, "exits with", code, text)
        else:
            expect(code == -signal.SIGKILL, way, "exits with", code, text)
        if os.path.isdir(run):
            self.check_folder(run, before, way)
            if way == "interrupt" and "stopped after step" in text:
                step = int(text.split("stopped after step ")[1].split(";")[0])
                expect(step_of(self.checkpoints(run)[-1]) == step, "interrupt lost steps")
                # The oldest go after the newest is safe: only sudden deaths in between leave more.
                expect(len(self.checkpoints(run)) <= 3, way, "keeps", self.checkpoints(run))
            if way in ("interrupt", "twice", "full", "full-disk"):
                left = [name for name in os.listdir(run) if name.endswith(".tmp")]
                expect(not left, way, "leaves", left)
        if way in ("cut", "flip"):
            self.damage(run, way)
        return False

    def damage(self, run, way):
        """Damages the newest checkpoint of several, and expects that the next start says so and takes another."""
        paths = self.checkpoints(run)
        if len(paths) < 2:
            return
        size, (_, data) = os.path.getsize(paths[-1]), read_header(paths[-1])
        # Each class of places: the length, the header, the border to the data, the data, the last byte.
        place = self.rng.choice([0, 1, 7, 8, self.rng.randrange(8, data), data - 1, data,
                                 self.rng.randrange(data, size), size - 1])
        with open(paths[-1], "r+b") as file:
            if way == "cut":
                file.truncate(place)
            else:
                file.seek(place)
                byte = file.read(1)[0]
                file.seek(place)
                file.write(bytes([byte ^ 1 << self.rng.randrange(8)]))
        code, text = self.finish(self.start(run), way)
        expect(code == 0, way, "at", place, "of", size, "exits with", code, text)
        expect(os.path.basename(paths[-1]) in text and "set aside" in text, way, "at", place, "is not named:", text)
        expect(f"from {paths[-2]}" in text, way, "at", place, "does not fall back to", paths[-2], text)
        expect(os.path.exists(paths[-1] + ".damaged"), way, "lost the damaged file")
        self.check_end(run)

    def check_end(self, run):
        """The end of a run that was stopped equals the end of one that was not."""
        last = self.checkpoints(run)[-1]
        expect(step_of(last) == EPOCHS * STEPS_PER_EPOCH, run, "ended at", last)
        with open(os.path.join(self.folder, "out.safetensors"), "rb") as file:
            expect(file.read() == self.expected, run, ": the weights differ from those of a run without a stop")
        with open(os.path.join(run, "metrics.csv")) as file:
            rows = [line.split(",")[:7] for line in file.read().splitlines()]
        expect(rows == self.expected_rows, run, ": metrics.csv differs")

    def run_undisturbed(self):
        run = os.path.join(self.folder, "undisturbed")
        code, text = self.finish(self.start(run), "the run without a stop")
        expect(code == 0, "the run without a stop fails:", text)
        with open(os.path.join(self.folder, "out.safetensors"), "rb") as file:
            self.expected = file.read()
        with open(os.path.join(run, "metrics.csv")) as file:
            self.expected_rows = [line.split(",")[:7] for line in file.read().splitlines()]
        self.checkpoint_bytes = os.path.getsize(self.checkpoints(run)[0])

    def run_until_end(self, number, stops_left):
        """One run with its stops; returns how many there were."""
        ways = ["interrupt", "twice", "kill", "full", "cut", "flip"] + (["full-disk"] if self.disk else [])
        on_disk = self.disk and number % 4 == 0
        run = os.path.join(self.disk if on_disk else self.folder, f"run{number}")
        stops = 0
        while stops < stops_left:
            way = self.rng.choice(ways if on_disk else ways[:6])
            if self.stop(run, way):
                break
            stops += 1
            # The start that follows damage runs to the end.
            if os.path.isdir(run) and any(name.endswith(".damaged") for name in os.listdir(run)):
                break
        else:
            code, text = self.finish(self.start(run), "the last start")
            expect(code == 0, "the last start fails:", text)
        self.check_end(run)
        shutil.rmtree(run)
        return stops


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--stops", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stress = Stress(os.path.abspath(options.root), folder, random.Random(options.seed))
        stress.mount()
        try:
            stress.run_undisturbed()
            stops = runs = 0
            while stops < options.stops:
                stops += stress.run_until_end(runs, options.stops - stops)
                runs += 1
        except Failure as failure:
            print(f"FAILED (seed {options.seed}): {failure}")
            return 1
        finally:
            stress.unmount()
    ways = ", ".join(f"{way} {count}" for way, count in sorted(stress.counts.items()))
    print(f"{stops} stops ({ways}) in {runs} runs: every run ended with the weights of the run without a stop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
