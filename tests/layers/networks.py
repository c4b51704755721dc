"""What the layers' tests put behind them: a small network, partitions, images."""

import keras
import numpy as np

from tests.reference import groups as reference

SIZE = (9, 7, 3)


def score_network(size=SIZE, seed=0):
    """Images → (N,), smooth and of any height and width."""
    images = keras.Input((*size[:2], size[2]))
    hidden = keras.layers.Conv2D(6, 3, activation="tanh")(images)
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="gelu")(hidden)
    pooled = keras.layers.GlobalAveragePooling2D()(hidden)
    outputs = keras.layers.Dense(1)(pooled)
    model = keras.Model(images, outputs[:, 0])
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def random_images(count=3, size=SIZE, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *size)).astype("float32")


def random_segments(count=3, size=SIZE[:2], most=12, seed=0):
    """Labels 0…p−1, each image with a number of groups of its own."""
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, rng.integers(1, most + 1), size) for _ in range(count)]
    return reference.number(np.stack(labels))
