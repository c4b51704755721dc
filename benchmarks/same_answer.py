"""How far a map depends on the batch that its image is in, and what that costs.

    python benchmarks/same_answer.py [--model efficientnet-lite0|PATH.keras]
        [--method SimpleGradient] [--num 8] [--count 8] [--repeats 3]

Every batch is filled up to its size with its own images, so that a size is one shape of
the graph. `to_alone`: the largest difference to each image explained alone, relative to
the map's maximum, its largest and median over the images. `in_other_places`: the same
between two orders of the images at one size; 0 means the same bits. Sizes are timed in
turn in one process, medians over the repeats, relative to a size of 1.
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

import tf_superpixel_saliency as tss

SIZES = (1, 2, 4, 8)


def explained(explainer, images, size):
    maps = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        rows = np.arange(size) % len(batch)
        maps.append(explainer(batch[rows])["maps"].numpy()[: len(batch)])
    return np.concatenate(maps)


def differences(maps, reference):
    axes = (1, 2, 3)
    return np.abs(maps - reference).max(axes) / np.abs(reference).max(axes)


def load_images(count, size):
    """scikit-image's photos, then the same with other noise laid over."""
    photos = tss.demo.load_photos(size)[1]
    rng = np.random.default_rng(0)
    images = photos[np.arange(count) % len(photos)]
    noise = rng.normal(0, 8, images.shape)
    noise[: len(photos)] = 0
    return np.clip(images + noise, 0, 255).astype("float32")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--method", default="SimpleGradient")
    parser.add_argument("--num", type=int, default=8)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.model.endswith(".keras"):
        model = keras.saving.load_model(arguments.model, compile=False)
    else:
        model = tss.demo.load_model(arguments.model)
    images = load_images(arguments.count, model.input_shape[1])
    amounts = {
        "SimpleGradient": {},
        "SmoothGrad": {"num_samples": arguments.num},
        "IntegratedGradients": {"num_steps": arguments.num},
    }
    settings = amounts[arguments.method]
    explainer = getattr(tss, arguments.method)(model, **settings)
    alone = explained(explainer, images, 1)
    order = np.random.default_rng(1).permutation(len(images))
    seconds = {size: [] for size in SIZES}
    lines = {}
    for size in SIZES:
        maps = explained(explainer, images, size)
        moved = explained(explainer, images[order], size)
        far = differences(maps, alone)
        lines[size] = {
            "batch_size": size,
            "to_alone": [float(f"{far.max():.1e}"), float(f"{np.median(far):.1e}")],
            "in_other_places": float(f"{differences(moved, maps[order]).max():.1e}"),
        }
    for _ in range(arguments.repeats):
        for size in SIZES:
            start = time.perf_counter()
            explained(explainer, images, size)
            seconds[size].append(time.perf_counter() - start)
    medians = {size: statistics.median(times) for size, times in seconds.items()}
    for size, line in lines.items():
        line = {"model": arguments.model, "method": arguments.method, **line}
        print(json.dumps({**line, "time": round(medians[size] / medians[1], 2)}))


if __name__ == "__main__":
    main()
