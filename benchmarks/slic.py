"""SLIC in TensorFlow operations beside scikit-image's, in one process.

Prints one JSON line a figure: labels compared, then times with both cores to each
(scikit-image on one photo runs on one core, as it is; on 16 in two threads, since it
releases the GIL). The two take turns, so that other load falls on both.

    python benchmarks/slic.py                           # scikit-image's own photos
    python benchmarks/slic.py --images DIR --photos 80  # photos of one's own
    python benchmarks/slic.py --size 300x451 --skip-speed
"""

from __future__ import annotations

import argparse
import functools
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
from scipy import ndimage
from skimage.metrics import adapted_rand_error
from skimage.segmentation import felzenszwalb, find_boundaries, slic

from tf_superpixel_saliency.superpixels.slic import SLIC

THREADS = 2


def load(folder, size, count):
    """Photos centre-cropped to the aspect of `size` and area-resized, uint8."""
    from PIL import Image, ImageOps

    if folder is None:
        from skimage import data

        photos = [data.astronaut(), data.chelsea(), data.coffee()]
        photos = [Image.fromarray(photo) for photo in photos]
    else:
        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
        files = files[:: max(1, len(files) // count)][:count]
        photos = [Image.open(path).convert("RGB") for path in files]
    return np.stack(
        [np.asarray(ImageOps.fit(p, size[::-1], Image.Resampling.BOX)) for p in photos]
    )


def boundary_recall(segments, truth, tolerance=2):
    """Share of the truth's boundary that lies near a boundary of the segments."""
    near = ndimage.binary_dilation(find_boundaries(segments), iterations=tolerance)
    wanted = find_boundaries(truth)
    return float(near[wanted].mean()) if wanted.any() else 1.0


def undersegmentation(segments, truth):
    """Corrected under-segmentation error (van den Bergh 2012), 0 is best.

    The pixels of every segment outside of the true region that it shares most with.
    """
    table = np.zeros((segments.max() + 1, truth.max() + 1), int)
    np.add.at(table, (segments, truth), 1)
    return float(1 - table.max(axis=1).sum() / segments.size)


def connected_share(segments, smallest):
    """Share of groups that are connected and of the minimum size."""
    good = 0
    for group in range(segments.max() + 1):
        mask = segments == group
        good += ndimage.label(mask)[1] == 1 and mask.sum() >= smallest
    return good / (segments.max() + 1)


def agreement(photos, n_segments, connected):
    settings = {"n_segments": n_segments, "enforce_connectivity": connected}
    layer, rows = SLIC(**settings), []
    for photo in photos:
        ours = layer(photo[None]).numpy()[0]
        image = photo.astype(np.float32) / np.float32(255)
        theirs = slic(image, start_label=0, **settings)
        in_float64 = slic(photo / 255.0, start_label=0, **settings)
        truth = felzenszwalb(image, scale=100, sigma=0.8, min_size=50)
        row = {
            "adapted_rand_error": adapted_rand_error(in_float64, ours)[0],
            "adapted_rand_error_to_float32": adapted_rand_error(theirs, ours)[0],
            "scikit_image_float32_to_float64": adapted_rand_error(in_float64, theirs)[
                0
            ],
            "groups_ratio": (ours.max() + 1) / len(np.unique(in_float64)),
        }
        for name, labels in (("ours", ours), ("scikit_image", in_float64)):
            row[f"boundary_recall_{name}"] = boundary_recall(labels, truth)
            row[f"undersegmentation_{name}"] = undersegmentation(labels, truth)
        if connected:
            centres = slic(
                image, n_segments, max_num_iter=1, enforce_connectivity=False
            ).max()
            smallest = int(0.5 * ours.size / centres)
            row["connected_and_large_enough"] = connected_share(ours, smallest)
        rows.append(row)
    errors = np.array([row["adapted_rand_error"] for row in rows])
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {
        **settings,
        "size": photos.shape[1:3],
        "photos": len(photos),
        **means,
        "adapted_rand_error_max": float(errors.max()),
        "photos_with_equal_labels": int((errors == 0).sum()),
    }


def take_turns(first, second, repeats):
    """Median seconds of two functions called alternately, after one call each."""
    times = [], []
    for repeat in range(repeats + 1):
        for function, own in zip((first, second), times):
            start = time.perf_counter()
            function()
            if repeat:
                own.append(time.perf_counter() - start)
    return [float(np.median(own)) for own in times]


def speed(photos, n_segments, connected, repeats):
    settings = {"n_segments": n_segments, "enforce_connectivity": connected}
    layer, theirs = SLIC(**settings), functools.partial(slic, **settings)
    scaled = photos.astype(np.float32) / np.float32(255)
    with ThreadPoolExecutor(THREADS) as pool:

        def all_of_them():
            return (
                [theirs(scaled[0])]
                if len(scaled) == 1
                else list(pool.map(theirs, scaled))
            )

        seconds = take_turns(lambda: layer(photos).numpy(), all_of_them, repeats)
    ours, scikit_image = (1000 * value for value in seconds)
    return {
        **settings,
        "batch": len(photos),
        "ms": ours,
        "scikit_image_ms": scikit_image,
        "ratio": ours / scikit_image,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", help="folder of photos; scikit-image's otherwise")
    parser.add_argument("--photos", type=int, default=60, help="how many to compare")
    parser.add_argument("--size", default="224x224", help="HxW, default 224x224")
    parser.add_argument("--segments", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--skip-agreement", action="store_true")
    parser.add_argument("--skip-speed", action="store_true")
    args = parser.parse_args()
    size = tuple(int(side) for side in args.size.split("x"))
    photos = load(args.images, size, args.photos)

    def show(figure, values):
        print(json.dumps({"figure": figure, **values}), flush=True)

    versions = {m.__name__: m.__version__ for m in (tf, keras, np, skimage)}
    show("versions", {**versions, "cores": os.cpu_count(), "cpu": platform.machine()})
    for n_segments in args.segments:
        for connected in (False, True):
            if not args.skip_agreement:
                show("agreement", agreement(photos, n_segments, connected))
            for batch in () if args.skip_speed else (1, 16):
                some = np.resize(photos, (batch, *photos.shape[1:]))
                show("speed", speed(some, n_segments, connected, args.repeats))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    show("memory", {"peak_mib": peak})


if __name__ == "__main__":
    main()
