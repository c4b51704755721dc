"""Many images through one explainer; files through a run that is killed and goes on.

    python benchmarks/soak.py [--images 20000] [--photos 60] [--kills 8] [--seed 0]

Images: random ones of 32×32 pixels go through `explain_batches` and a small network.
Each comes back once, finite, and some of them once more at the end with the same bits;
the resident memory is the operating system's. Photos: a folder with damaged files among
them goes through the command `explain`, which gets SIGKILL at random moments after its
first new result and is started again, until it is done. Nothing is lost, doubled or
half-written, what was finished is not touched again, and all arrays have the bits of a
run that was left alone, whose memory is recorded. A JSON line a figure; an
AssertionError where a promise breaks.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image

import tf_superpixel_saliency as tss

PAGE = os.sysconf("SC_PAGE_SIZE")
BATCH = 32
FLAGS = ("--method", "SmoothGrad", "--num-samples", "4", "--superpixels",
         "SLIC:n_segments=50", "--quiet")  # fmt: skip


def resident_megabytes(pid="self"):
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * PAGE / 1e6


def small_network(seed):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, 2, activation="relu"),
            layers.Conv2D(32, 3, 2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def batches(count, seed):
    """Images in batches, each set by the seed and its number."""
    for start in range(0, count, BATCH):
        rng = np.random.default_rng((seed, start))
        yield rng.integers(0, 256, (min(BATCH, count - start), 32, 32, 3), np.uint8)


def soak_images(count, seed):
    explainer = tss.SmoothGrad(
        small_network(seed), tss.SLIC(n_segments=50), num_samples=4, seed=seed
    )
    memory, first, done, start = [], None, 0, time.perf_counter()
    for number, out in enumerate(explainer.explain_batches(batches(count, seed))):
        assert np.isfinite(out["maps"]).all() and not (out["status"] & ~4).any()
        first = first or out
        done += len(out["maps"])
        if number % max(1, count // BATCH // 10) == 0:
            memory.append((done, round(resident_megabytes())))
    seconds = time.perf_counter() - start
    (again,) = explainer.explain_batches(batches(BATCH, seed))
    assert done == count
    for key, value in first.items():
        np.testing.assert_array_equal(value, again[key])
    tell(
        what="images through explain_batches",
        images=done,
        seconds=round(seconds),
        megabytes=memory,
        growth=memory[-1][1] - memory[len(memory) // 5][1],
    )


def write_photos(folder, count, seed):
    """Photos of several formats and sizes, every sixth of them damaged."""
    rng = np.random.default_rng(seed)
    bad = 0
    for number in range(count):
        size = rng.integers(1, 90, 2)
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        kind = ("png", "jpg", "webp", "tif")[number % 4]
        path = folder / f"{number:05d}.{kind}"
        Image.fromarray(pixels).save(path)
        if number % 6 == 5:
            data = path.read_bytes()
            path.write_bytes(data[: rng.integers(0, 12)])
            bad += 1
    return bad


class Killed:
    """Starts the command until it ends by itself, and kills it before."""

    def __init__(self, command, output, seed):
        self.command, self.output = command, output
        self.chance = random.Random(seed)
        self.kills = self.partial = 0
        self.finished: dict = {}

    def run(self, kills):
        while self.kills < kills:
            before = self._lines()
            process = self._start()
            while process.poll() is None and self._lines() <= before:
                time.sleep(0.005)
            time.sleep(self.chance.uniform(0, 0.6))
            if process.poll() is not None:
                return process.communicate()
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.kills += 1
            self._look()
        process = self._start()
        return process.communicate()

    def _start(self):
        return subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def _lines(self):
        path = self.output / "summary.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def _look(self):
        """What is finished stays as it is; half-written files have another name."""
        self.partial += len(list(self.output.glob(".partial-*")))
        for path in self.output.glob("[!.]*.npz"):
            with np.load(path) as arrays:  # whole, also without its line
                assert np.isfinite(arrays["maps"]).all()
        for line in (self.output / "summary.jsonl").read_text("utf-8").splitlines():
            line = json.loads(line)
            for name in (line["picture"], line["arrays"]):
                written = (self.output / name).stat().st_mtime_ns
                assert self.finished.setdefault(name, written) == written, name


def soak_photos(count, kills, seed):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "photos").mkdir()
        bad = write_photos(folder / "photos", count, seed)
        small_network(seed).save(folder / "model.keras")

        def command(output):
            return [sys.executable, "-m", "tf_superpixel_saliency", "explain",
                    str(folder / "photos"), "--model", str(folder / "model.keras"),
                    "--output", str(folder / output), *FLAGS]  # fmt: skip

        killed = Killed(command("killed"), folder / "killed", seed)
        told, errors = killed.run(kills)
        killed._look()
        memory, alone = left_alone(command("alone"), folder / "alone", count)
        names = sorted(path.name for path in (folder / "killed").iterdir())
        assert names == sorted(path.name for path in (folder / "alone").iterdir())
        assert len(names) == 2 * (count - bad) + 1
        lines = (folder / "killed" / "summary.jsonl").read_text("utf-8").splitlines()
        files = [json.loads(line)["file"] for line in lines]
        assert len(files) == len(set(files)) == count - bad
        assert errors.count("failed: ") == bad == alone.count("failed: ")
        for path in (folder / "alone").glob("*.npz"):
            one, other = np.load(path), np.load(folder / "killed" / path.name)
            for key in one.files:
                np.testing.assert_array_equal(one[key], other[key])
        tell(
            what="photos through a run that is killed",
            photos=count,
            damaged=bad,
            kills=killed.kills,
            half_written_at_a_kill=killed.partial,
            lost=0,
            doubled=0,
            megabytes=memory,
            last_run=told.strip().splitlines()[-1].partition(";")[0],
        )


def left_alone(command, output, count):
    """Run to the end: [(results, resident megabytes)], and what it said of failures."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    memory, step = [], max(1, count // 10)
    while process.poll() is None:
        path = output / "summary.jsonl"
        done = path.read_bytes().count(b"\n") if path.exists() else 0
        if done >= step * (len(memory) + 1):
            memory.append((done, round(resident_megabytes(process.pid))))
        time.sleep(0.05)
    return memory, process.communicate()[1].decode()


def tell(**figures):
    print(json.dumps(figures), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.images:
        soak_images(arguments.images, arguments.seed)
    if arguments.photos:
        soak_photos(arguments.photos, arguments.kills, arguments.seed)


if __name__ == "__main__":
    main()
