"""Images a second from photo to super-pixel map, ours against scikit-image's C code.

    python benchmarks/end_to_end.py [--images DIR] [--count 64] [--repeats 5]

Ours: `SimpleGradient(model, superpixels=Quickshift(…))`, one graph. Theirs:
`skimage.segmentation.quickshift` in a pool of threads, one a core, then the same
compiled gradient and the same grouping. Both in one process, in turn; a JSON line a
setting, medians over the repeats. The model is the demo's EfficientNet-Lite0.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import skimage
import tensorflow as tf
from photos import read_folder
from skimage.segmentation import quickshift

import tf_superpixel_saliency as tss

SETTINGS = [(1, 3, 0.2), (3, 3, 0.2), (5, 10, 1.0)]


def load_images(folder, count):
    """(count, 224, 224, 3) photos: files of a folder, or crops of scikit-image's."""
    if folder:
        return read_folder(folder, count)[1]
    from skimage import data

    photos = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    rng = np.random.default_rng(0)
    crops = []
    for number in range(count):
        photo = photos[number % len(photos)]
        row, column = (rng.integers(0, side - 224) for side in photo.shape[:2])
        crops.append(photo[row : row + 224, column : column + 224])
    return np.stack(crops).astype(np.float32)


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    images = load_images(arguments.images, arguments.count)
    model = tss.demo.load_model()
    gradient = tss.SimpleGradient(model)
    step = arguments.batch_size
    batches = [images[start : start + step] for start in range(0, len(images), step)]

    for kernel_size, max_dist, ratio in SETTINGS:
        settings = {"kernel_size": kernel_size, "max_dist": max_dist, "ratio": ratio}
        ours = tss.SimpleGradient(model, superpixels=tss.Quickshift(**settings))
        pool = ThreadPoolExecutor(os.cpu_count())

        def run_ours(ours=ours):
            for batch in batches:
                ours(batch)

        def run_theirs(settings=settings, pool=pool):
            segments = pool.map(lambda x: quickshift(x, **settings), images / 255)
            segments = np.stack(list(segments))
            for number, batch in enumerate(batches):
                maps = gradient(batch)["maps"]
                tss.group_map(maps, segments[number * step : number * step + step])

        def run_gradient():
            for batch in batches:
                gradient(batch)

        first_call = timed(run_ours)
        run_gradient()
        times = {"ours": [], "skimage": [], "gradient": []}
        for _ in range(arguments.repeats):
            times["ours"].append(timed(run_ours))
            times["skimage"].append(timed(run_theirs))
            times["gradient"].append(timed(run_gradient))
        medians = {key: statistics.median(value) for key, value in times.items()}
        speedups = [b / a for a, b in zip(times["ours"], times["skimage"])]
        print(
            json.dumps(
                {
                    "benchmark": "end_to_end",
                    **settings,
                    "images": len(images),
                    "ours_images_per_s": round(len(images) / medians["ours"], 2),
                    "skimage_images_per_s": round(len(images) / medians["skimage"], 2),
                    "gradient_alone_images_per_s": round(
                        len(images) / medians["gradient"], 2
                    ),
                    "speedup": round(statistics.median(speedups), 2),
                    "first_call_s": round(first_call, 1),
                    "peak_memory_mib": resource.getrusage(
                        resource.RUSAGE_SELF
                    ).ru_maxrss
                    // 1024,
                    "cores": os.cpu_count(),
                    "tensorflow": tf.__version__,
                    "skimage": skimage.__version__,
                    "date": time.strftime("%Y-%m-%d"),
                }
            ),
            flush=True,
        )
        pool.shutdown()


if __name__ == "__main__":
    main()
