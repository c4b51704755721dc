"""Explainers to export and photo files to send."""

import io

import keras
import numpy as np
from PIL import Image
from skimage import data

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, SIZE


def named_classifier():
    """A small Functional model whose input and outputs have names of their own."""
    rng = np.random.default_rng(5)
    picture = keras.Input(SIZE, name="picture")
    x = keras.layers.Conv2D(4, 3, activation="relu")(picture / 127.5 - 1.0)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(picture, keras.layers.Dense(CLASSES, activation="softmax")(x))
    model.set_weights([rng.normal(0, 0.7, w.shape) for w in model.get_weights()])
    return model


def smooth(model):
    """SmoothGrad on Quickshift, few samples."""
    return tss.SmoothGrad(model, tss.Quickshift(), num_samples=3)


def simple(model):
    """The cheapest explainer to trace."""
    return tss.SimpleGradient(model, tss.SquareGrid(size=3))


def encoded(image, kind, **settings):
    """A PIL image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def cat():
    """A real photo, its width and height odd and even."""
    return Image.fromarray(data.chelsea()[:260:2, :401:2])
