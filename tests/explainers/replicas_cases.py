"""What is explained on one device and on several: in test_replicas.py and its program.

Both sides build it from the same seeds, in processes of their own.
"""

import keras
import numpy as np
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, photos

IMAGES = photos(7)
TARGETS = np.array([4, -1, 0, 1, 2, -1, 3])
SEGMENTS = np.random.default_rng(0).integers(0, 7, IMAGES.shape[:3])
PLAIN = "SimpleGradient, squares"


def model():
    """A network that begins with a convolution and a batch norm, to be folded."""
    layers = keras.layers
    keras.utils.set_random_seed(5)
    network = keras.Sequential(
        [
            keras.Input(SIZE),
            layers.Rescaling(1 / 127.5, -1.0),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            # Smooth, so that rounding does not end on the other side of a kink.
            layers.Activation("softplus"),
            layers.Conv2D(6, 3, 2, activation="softplus"),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(5)
    network.set_weights(
        [w + 0.1 * rng.uniform(0, 1, w.shape) for w in network.get_weights()]
    )
    return network


def explainers(network):
    """The four methods, one of them with Quickshift, which takes long to compile."""
    squares = tss.SquareGrid(size=4)
    return {
        "Quickshift": tss.SimpleGradient(network, tss.Quickshift()),
        "SmoothGrad": tss.SmoothGrad(network, squares, num_samples=3),
        "SparsifiedSmoothGrad": tss.SparsifiedSmoothGrad(
            network, squares, num_samples=3
        ),
        "IntegratedGradients": tss.IntegratedGradients(network, squares, num_steps=3),
        PLAIN: tss.SimpleGradient(network, squares),
    }


def named():
    return {"images": IMAGES, "targets": TARGETS, "segments": SEGMENTS}


class Batches(keras.utils.PyDataset):
    """3, 3 and 1 images."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(3 * index, 3 * index + 3)
        return {key: value[rows] for key, value in named().items()}


def generator():
    for batch in range(3):
        yield Batches()[batch]


def dataset(values=None):
    return tf.data.Dataset.from_tensor_slices(values or named()).batch(4)


def odd_batches():
    """Batches of 4, 1 and 2 images, whose number no one knows before."""
    tensors = {key: tf.constant(value) for key, value in named().items()}

    def batch(start, stop):
        return {key: value[start:stop] for key, value in tensors.items()}

    parts = tf.data.Dataset.from_tensor_slices(([0, 4, 5], [4, 5, 7]))
    return parts.map(batch).filter(lambda _: True)


def bad_images():
    """A NaN in the second image, and a class out of range for the last."""
    images, targets = IMAGES.copy(), TARGETS.copy()
    images[1, 0, 0, 0] = np.nan
    targets[6] = 9
    return dataset({"images": images, "targets": targets})


def endless():
    return dataset().repeat()


SOURCES = {
    "arrays": named,
    "dataset": dataset,
    "odd batches": odd_batches,
    "PyDataset": Batches,
    "generator": generator,
}
