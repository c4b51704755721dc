"""What the explainers' tests explain: a small classifier, its twin, and images."""

import keras
import numpy as np
import tensorflow as tf

from tests.reference.network import Network

SIZE = (12, 11, 3)  # not square, so that swapped axes are seen
CLASSES = 5


def classifier(activation="softmax", seed=0, size=SIZE):
    """A small convolutional network on images in 0…255."""
    initializer = keras.initializers.HeNormal
    model = keras.Sequential(
        [
            keras.Input(size),
            keras.layers.Rescaling(1 / 127.5, -1.0),
            keras.layers.Conv2D(
                4, 3, activation="relu", kernel_initializer=initializer(seed)
            ),
            keras.layers.Conv2D(
                6, 3, 2, activation="relu", kernel_initializer=initializer(seed + 1)
            ),
            keras.layers.Flatten(),
            keras.layers.Dense(
                CLASSES,
                activation=activation,
                kernel_initializer=keras.initializers.GlorotNormal(seed + 2),
            ),
        ]
    )
    rng = np.random.default_rng(seed)
    model.set_weights(
        [w + 0.1 * rng.standard_normal(w.shape) for w in model.get_weights()]
    )
    return model


def twin(model):
    """The same network in NumPy."""
    k1, b1, k2, b2, k3, b3 = model.get_weights()
    return Network(1 / 127.5, -1.0, [(k1, b1, 1), (k2, b2, 2)], (k3, b3))


def photos(count=3, size=SIZE, seed=0):
    """Images (count, H, W, C) float32 in 0…255: coloured patches, a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.arange(size[0])[:, None] // 4
    columns = np.arange(size[1])[None] // 3
    patches = (max(8, rows[-1, 0] + 1), max(8, columns[0, -1] + 1))
    colours = rng.uniform(20, 235, (count, *patches, size[2]))
    images = colours[:, rows, columns] + rng.uniform(-15, 15, (count, *size))
    return images.astype("float32")


def linear_model(weights, bias=0.0):
    """(N, H, W, C) → logits (N, classes); weights (H, W, C, classes)."""
    flat = tf.constant(np.reshape(weights, (-1, np.shape(weights)[-1])), tf.float32)

    def model(images):
        return tf.linalg.matmul(tf.reshape(images, [-1, flat.shape[0]]), flat) + bias

    return model


def relative_error(maps, reference):
    """The largest difference of each map over the reference's maximum, (N,)."""
    maps, reference = np.float64(maps), np.float64(reference)
    axes = tuple(range(1, reference.ndim))
    return np.abs(maps - reference).max(axes) / np.abs(reference).max(axes)


def as_arrays(out):
    return {key: np.asarray(value) for key, value in out.items()}
