"""Quickshift in TensorFlow operations beside scikit-image's, in one process.

Prints one JSON line a figure: labels compared, then times with both cores to each
(scikit-image on one photo runs on one core, as it is; on 16 in two threads, since
it releases the GIL). The two take turns, so that other load falls on both.

    python benchmarks/quickshift.py                 # scikit-image's own photos
    python benchmarks/quickshift.py --images DIR    # photos of one's own
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import skimage
import tensorflow as tf
from skimage.metrics import adapted_rand_error
from skimage.segmentation import quickshift

from tf_superpixel_saliency.ops.compilation import portable_graph
from tf_superpixel_saliency.superpixels.quickshift import Quickshift

# (kernel_size, max_dist, ratio)
ACCURACY = [(1, 3, 0.2), (3, 3, 0.2), (5, 10, 1.0), (3, 6, 0.5)]
SPEED = ACCURACY[:3]
THREADS = 2


def square(image, size):
    """Centre crop to a square and area resize, uint8."""
    from PIL import Image

    photo = Image.fromarray(np.asarray(image)).convert("RGB")
    side = min(photo.size)
    left, top = ((length - side) // 2 for length in photo.size)
    photo = photo.crop((left, top, left + side, top + side))
    return np.asarray(photo.resize((size, size), Image.Resampling.BOX))


def load(folder, size, count):
    if folder is None:
        from skimage import data

        photos = [data.astronaut(), data.chelsea(), data.coffee()]
    else:
        from PIL import Image

        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
        photos = [Image.open(path).convert("RGB") for path in files[:count]]
    return np.stack([square(photo, size) for photo in photos])


def arguments(setting):
    return dict(zip(("kernel_size", "max_dist", "ratio"), setting))


def report(figure, setting, **values):
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {"figure": figure, **arguments(setting), **values}
    print(json.dumps({**line, "peak_memory_mib": round(memory)}), flush=True)


def compare_labels(photos, setting):
    layer = Quickshift(**arguments(setting))
    found = [s for i in range(0, len(photos), 16) for s in layer(photos[i : i + 16])]
    with ThreadPoolExecutor(THREADS) as pool:
        references = {
            name: list(
                pool.map(
                    lambda photo, dtype=dtype: quickshift(
                        photo.astype(dtype) / dtype(255), **arguments(setting)
                    ),
                    photos,
                )
            )
            for name, dtype in (("float32", np.float32), ("float64", np.float64))
        }
    pairs = {
        "float64 scikit-image": (found, references["float64"]),
        "float32 scikit-image": (found, references["float32"]),
        # The floor: what no implementation can beat on both at once.
        "scikit-image float32 to float64": (
            references["float32"],
            references["float64"],
        ),
    }
    for name, (ours, theirs) in pairs.items():
        ours = [np.asarray(segments) for segments in ours]
        errors = [adapted_rand_error(b + 1, a + 1)[0] for a, b in zip(ours, theirs)]
        equal = [a.max() == b.max() for a, b in zip(ours, theirs)]
        report(
            "labels",
            setting,
            against=name,
            photos=len(photos),
            mean_adapted_rand_error=float(np.mean(errors)),
            same_number_of_groups=float(np.mean(equal)),
        )


def compare_times(photos, setting, batch, repeats):
    images = np.resize(photos, (batch, *photos.shape[1:]))
    floats = [image / 255.0 for image in images]
    tensor = tf.constant(images)
    layer = Quickshift(**arguments(setting))
    start = time.perf_counter()
    segment = tf.function(layer, autograph=False)
    segment(tensor)
    first_call = time.perf_counter() - start

    def peer():
        if batch == 1:
            return quickshift(floats[0], **arguments(setting))
        with ThreadPoolExecutor(THREADS) as pool:
            work = pool.map(lambda one: quickshift(one, **arguments(setting)), floats)
            return list(work)

    times = {"ours": [], "scikit-image": []}
    for _ in range(repeats):
        for name, run in (
            ("ours", lambda: segment(tensor).numpy()),
            ("scikit-image", peer),
        ):
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) * 1e3 / batch)
    ours, theirs = (float(np.median(values)) for values in times.values())
    report(
        "time",
        setting,
        photos=batch,
        milliseconds_a_photo=round(ours, 2),
        scikit_image_milliseconds_a_photo=round(theirs, 2),
        times_as_fast=round(theirs / ours, 2),
        best_milliseconds=[round(min(values), 2) for values in times.values()],
        first_call_seconds=round(first_call, 2),
        repeats=repeats,
    )


def time_portable(photos, setting, repeats):
    """The graph without XLA, as it is exported."""
    layer = Quickshift(**arguments(setting))
    with portable_graph():
        segment = tf.function(lambda images: layer(images), autograph=False)
        segment(tf.constant(photos[:1]))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        segment(tf.constant(photos[:1])).numpy()
        times.append((time.perf_counter() - start) * 1e3)
    report("portable graph", setting, milliseconds_a_photo=float(np.median(times)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", help="folder of photos; scikit-image's without")
    parser.add_argument("--size", type=int, default=224, help="height and width")
    parser.add_argument("--count", type=int, default=400, help="photos to compare")
    parser.add_argument("--repeats", type=int, default=10, help="runs of each")
    parser.add_argument("--skip-labels", action="store_true", help="times alone")
    options = parser.parse_args()
    photos = load(options.images, options.size, options.count)
    versions = {m.__name__: m.__version__ for m in (tf, keras, skimage, np)}
    about = {
        "figure": "about",
        "photos": len(photos),
        "size": options.size,
        "rng": 42,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        **versions,
    }
    print(json.dumps(about), flush=True)
    for setting in SPEED:
        for batch in (1, 16):
            compare_times(photos, setting, batch, options.repeats)
    for setting in SPEED:
        time_portable(photos, setting, 3)
    if not options.skip_labels:
        for setting in ACCURACY:
            compare_labels(photos, setting)


if __name__ == "__main__":
    main()
