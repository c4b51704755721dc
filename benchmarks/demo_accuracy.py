"""Top-1 accuracy of the demo model on a folder of labelled photos.

The class of a photo is the number before the first underscore of its file's name,
as in `285_n02124075_Egyptian_cat.jpg`. Prints one JSON line.

    python benchmarks/demo_accuracy.py DIR [--model efficientnet-lite1]
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time

import numpy as np
from PIL import Image

from tf_superpixel_saliency import demo


def labelled_photos(folder):
    """Pairs of path and class of the `.jpg` files in a folder, sorted by name."""
    paths = sorted(folder.glob("*.jpg"))
    return [(path, int(path.name.split("_", 1)[0])) for path in paths]


def read_photo(path, size):
    """Read a file as `demo.prepare` gives it: (size, size, 3) float32 in 0…255."""
    with Image.open(path) as image:
        return demo.prepare(np.asarray(image.convert("RGB")), size)


def measure(folder, name, size):
    """Accuracy of one model, as a dictionary for the JSON line."""
    photos = labelled_photos(folder)
    if not photos:
        raise SystemExit(f"{folder} holds no .jpg files named CLASS_….jpg.")
    images = np.stack([read_photo(path, size) for path, _ in photos])
    classes = np.array([index for _, index in photos])
    model = demo.load_model(name, input_shape=(size, size, 3))
    start = time.perf_counter()
    found = model.predict(images, verbose=0).argmax(axis=1)
    seconds = time.perf_counter() - start
    return {
        "benchmark": "demo_accuracy",
        "model": name,
        "size": size,
        "photos": len(photos),
        "top1": round(float((found == classes).mean()), 4),
        "ms_per_image": round(1000 * seconds / len(photos), 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--size", type=int, default=224)
    arguments = parser.parse_args()
    result = measure(arguments.folder, arguments.model, arguments.size)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
