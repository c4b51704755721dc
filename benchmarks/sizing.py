"""What a million and a billion images cost: measured stages, and arithmetic on them.

    python benchmarks/sizing.py [--images DIR] [--count 64] [--model efficientnet-lite0]
        [--num 50] [--days 7] [--price-core-hour 0.04] [--price-gpu-hour 1.2]
        [--price-tb-month 23] [--gpu-cores 100] [--gpu-host-cores 8]

First every stage of `explain_dataset` by itself, in processor seconds an image (all its
threads, so that other work on the machine hardly matters) and in bytes: reading
(decode, turn, crop, resize), segmenting, gradients of each method, writing. Then, for
each method and number of images: core hours, cores for `--days`, storage, the rates at
which images are read and results written, and money. The last lines put a GPU in the
place of the gradients' cores: `--gpu-cores` says how many cores' gradients one GPU
computes, an assumption to be measured on your own; `bound_by` is the stage that its
`--gpu-host-cores` or its own speed make the slowest. Prices are yours to give. A JSON
line a figure.
"""

import argparse
import io
import json
import os
import pathlib
import statistics
import tempfile
import time
import tracemalloc

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.distributed import results, sources
from tf_superpixel_saliency.distributed.reading import Preparation

NUMBERS = (10**6, 10**9)
HOUR, DAY = 3600, 86400


def load_files(folder, count):
    """The bytes of image files: a folder's, or scikit-image's photos as JPEG."""
    if folder:
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return [file.read_bytes() for file in files[:count]]
    from PIL import Image
    from skimage import data

    photos = [data.chelsea(), data.coffee(), data.stereo_motorcycle()[0], data.rocket()]
    files = []
    for number in range(count):
        target = io.BytesIO()
        Image.fromarray(photos[number % len(photos)]).save(target, "JPEG", quality=90)
        files.append(target.getvalue())
    return files


def core_seconds(function, repeats):
    """Median processor seconds of a call, all threads added up; the first left out."""
    spent = []
    for _ in range(repeats + 1):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return statistics.median(spent[1:])


def methods(model, number):
    return {
        "SimpleGradient": tss.SimpleGradient(model),
        "SmoothGrad": tss.SmoothGrad(model, num_samples=number),
        "IntegratedGradients": tss.IntegratedGradients(model, num_steps=number),
    }


def measure(files, model, number, batch_size, repeats):
    """Core seconds and bytes of each stage, an image."""
    prepared = Preparation(model.input_shape[1])
    count = len(files)
    images = np.stack([prepared(file) for file in files])
    batches = [images[at : at + batch_size] for at in range(0, count, batch_size)]
    layer = tss.Quickshift()
    stages = {}

    def stage(name, function, number):
        stages[name] = core_seconds(function, repeats) / number
        line = {"stage": name, "core_ms_an_image": round(1e3 * stages[name], 2)}
        print(json.dumps(line), flush=True)

    stage("reading", lambda: [prepared(file) for file in files], count)
    stage("segmenting", lambda: [layer(batch) for batch in batches], count)
    for name, explainer in methods(model, number).items():
        # Of many gradients an image, two images are enough.
        used = batches if name == "SimpleGradient" else [images[:2]]
        stage(
            f"gradients, {name}",
            lambda e=explainer, u=used: [e(batch) for batch in u],
            sum(map(len, used)),
        )
    out = tss.SimpleGradient(model, layer)(images)
    out = {key: value.numpy() for key, value in out.items()}
    rows = [
        {"key": str(n), "error": None, **{key: value[n] for key, value in out.items()}}
        for n in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        stage("writing", lambda: results.write_shard(folder, 0, rows, {}), count)
        written = results.shard_path(folder, 0).stat().st_size
    sizes = {"read": sum(map(len, files)) / count, "written": written / count}
    return stages, sizes


def measure_list(files=20_000):
    """Core seconds and bytes of memory that the list of images takes, a file."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(files):
            pathlib.Path(folder, f"{number:08d}.jpg").touch()
        tracemalloc.start()
        runs = sources.find_runs(folder)
        memory = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        spent = core_seconds(lambda: sources.find_runs(folder), 1)
    return spent / len(runs), memory / len(runs)


def on_cores(stages, sizes, method, number, arguments):
    """What `number` images cost on processors alone."""
    shares = {name: stages[name] for name in ("reading", "segmenting", "writing")}
    shares["gradients"] = stages[f"gradients, {method}"]
    total = sum(shares.values())
    hours = number * total / HOUR
    rate = number / (arguments.days * DAY)
    slowest = max(shares, key=shares.get)
    return {
        "images": number,
        "method": method,
        "on": "cores",
        "core_hours": round(hours, 1),
        "cores": round(rate * total, 2),
        "bound_by": slowest,
        "its_share": round(shares[slowest] / total, 3),
        "money": round(hours * arguments.price_core_hour, 2),
        **storage(sizes, number, rate, arguments),
    }


def on_gpus(stages, sizes, method, number, arguments):
    """The same with the gradients on GPUs, and all else on the cores beside them."""
    beside = {
        name: stages[name] / arguments.gpu_host_cores
        for name in ("reading", "segmenting", "writing")
    }
    gradients = stages[f"gradients, {method}"] / arguments.gpu_cores
    # The GPU and the cores work side by side; on the cores one stage after another.
    seconds = max(gradients, sum(beside.values()))
    bound = "gradients" if seconds == gradients else max(beside, key=beside.get)
    hours = number * seconds / HOUR
    rate = number / (arguments.days * DAY)
    return {
        "images": number,
        "method": method,
        "on": "gpus",
        "gpu_hours": round(hours, 2),
        "gpus": round(rate * seconds, 3),
        "gpu_busy": round(gradients / seconds, 3),
        "bound_by": bound,
        "money": round(hours * arguments.price_gpu_hour, 2),
        **storage(sizes, number, rate, arguments),
    }


def storage(sizes, number, rate, arguments):
    written = number * sizes["written"] / 1e12
    return {
        "tb_written": round(written, 3),
        "money_a_month_to_keep": round(written * arguments.price_tb_month, 2),
        "mb_per_s_read": round(rate * sizes["read"] / 1e6, 2),
        "mb_per_s_written": round(rate * sizes["written"] / 1e6, 2),
    }


def _told(value):
    """A folder by its last name: whole paths are of one machine."""
    return value.name if isinstance(value, pathlib.Path) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--num", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--price-core-hour", type=float, default=0.04)
    parser.add_argument("--price-gpu-hour", type=float, default=1.2)
    parser.add_argument("--price-tb-month", type=float, default=23)
    parser.add_argument("--gpu-cores", type=float, default=100)
    parser.add_argument("--gpu-host-cores", type=float, default=8)
    arguments = parser.parse_args()
    files = load_files(arguments.images, arguments.count)
    if arguments.model.endswith(".keras"):
        model = keras.saving.load_model(arguments.model, compile=False)
    else:
        model = tss.demo.load_model(arguments.model)
    stages, sizes = measure(
        files, model, arguments.num, arguments.batch_size, arguments.repeats
    )
    listing, memory = measure_list()
    line = {"stage": "listing", "core_ms_an_image": round(1e3 * listing, 4)}
    print(json.dumps({**line, "bytes_of_memory_an_image": round(memory)}))
    for name, size in sizes.items():
        print(json.dumps({"bytes": name, "kb_an_image": round(size / 1e3, 1)}))
    for number in NUMBERS:
        for method in methods(model, arguments.num):
            for cost in (on_cores, on_gpus):
                print(json.dumps(cost(stages, sizes, method, number, arguments)))
    print(
        json.dumps(
            {
                "benchmark": "sizing",
                **{key: _told(value) for key, value in vars(arguments).items()},
                "cores_here": os.cpu_count(),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "date": time.strftime("%Y-%m-%d"),
            }
        )
    )


if __name__ == "__main__":
    main()
