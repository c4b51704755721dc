"""Two small classifiers of one task, and photos to ask them about."""

import keras
import numpy as np

from tf_superpixel_saliency.evaluation.maps import MapStore, Network
from tf_superpixel_saliency.evaluation.storage import PartStore

SIZE = (24, 24, 3)


def classifier(seed, classes=4, size=SIZE):
    """A convolutional softmax classifier on images in 0…255."""

    def start(number):
        return keras.initializers.HeNormal(10 * seed + number)

    return keras.Sequential(
        [
            keras.Input(size),
            keras.layers.Rescaling(1 / 127.5, -1.0),
            keras.layers.Conv2D(
                5, 3, 2, activation="relu", kernel_initializer=start(1), name="features"
            ),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(
                classes, activation="softmax", kernel_initializer=start(2)
            ),
        ]
    )


def instead_of_resnet18(input_shape, num_classes, width, weight_decay, seed):
    """What takes seconds to trace at any width, as a classifier of two layers."""
    del width, weight_decay
    return classifier(seed, num_classes, input_shape)


def photos(count, size=SIZE, seed=0):
    """(count, H, W, C) float32 in 0…255: coloured patches with a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.arange(size[0])[:, None] // 5
    columns = np.arange(size[1])[None] // 4
    colours = rng.uniform(20, 235, (count, size[0], size[1], size[2]))
    images = colours[:, rows, columns] + rng.uniform(-12, 12, (count, *size))
    return np.clip(images, 0, 255).astype(np.float32)


def map_store(folder, count=6, chunk_size=4, seeds=(0, 1), **options):
    """Maps of two networks in a folder."""
    networks = [Network(f"net{s}", classifier(s), seed=s) for s in seeds]
    store = PartStore(folder)
    return MapStore(store, photos(count), networks, chunk_size=chunk_size, **options)
