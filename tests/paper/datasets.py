"""Small labelled images, as arrays and as files."""

import numpy as np

from tf_superpixel_saliency.paper.cifar10 import LabelledImages

CLASSES = ("cat", "dog")


def small_images(train=24, test=6, size=8, seed=0):
    """Dark cats and bright dogs, noisy: a few steps tell them apart."""
    rng = np.random.default_rng(seed)

    def split(count):
        labels = (np.arange(count) % 2).astype(np.int32)
        noise = rng.integers(0, 80, (count, size, size, 3))
        return (noise + 150 * labels[:, None, None, None]).astype(np.uint8), labels

    return LabelledImages(*split(train), *split(test), CLASSES)


def write_png(path, seed, size=(6, 5), mode="RGB"):
    """A random image as a PNG file; returns its pixels."""
    from PIL import Image

    shape = size if mode == "L" else (*size, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels
