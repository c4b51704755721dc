"""ResNet-18 for small images."""

from __future__ import annotations

import itertools

import keras
import numpy as np

from tf_superpixel_saliency.ops import checks


def build_resnet18(
    input_shape: tuple[int, int, int] = (32, 32, 3),
    num_classes: int = 10,
    width: float = 1.0,
    weight_decay: float = 5e-4,
    seed: int = 0,
) -> keras.Model:
    """ResNet-18 with the stem for CIFAR: 3×3, no stride, no pooling.

    He et al. 2016, with projections where a block changes its shape. Made of Keras'
    own layers alone, so that the saved model loads in safe mode without this package.

    Args:
        input_shape: (H, W, C).
        num_classes: units of the softmax at the end.
        width: factor of the numbers of channels, 64, 128, 256 and 512.
        weight_decay: d of the step −d·w that enters each convolution's and the last
            layer's gradient (coupled, as in the usual recipe: momentum acts on it).
        seed: of the initial weights, each layer drawing its own.

    Returns:
        A model of images (N, H, W, C) in 0…255, scaled inside, to probabilities
        (N, num_classes).

    Raises:
        ValueError: an argument out of its range.
    """
    checks.checked_number("width", width, 0, strict=True)
    checks.checked_count("num_classes", num_classes, 2)
    checks.checked_count("seed", seed, 0)
    # Drawn, so that any seed fits what Keras takes and layers differ.
    random = np.random.default_rng(seed)
    numbers = (int(random.integers(2**31)) for _ in itertools.count())
    # Keras' L2 has the gradient 2·factor·w.
    decay = keras.regularizers.L2(weight_decay / 2) if weight_decay else None

    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    x = _convolution(x, _channels(64, width), 3, 1, decay, numbers)
    x = keras.layers.ReLU()(x)
    for stage, channels in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if stage > 0 and block == 0 else 1
            x = _residual_block(x, _channels(channels, width), stride, decay, numbers)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = keras.layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(next(numbers)),
        kernel_regularizer=decay,
        name="predictions",
    )(x)
    return keras.Model(inputs, outputs, name="resnet18")


def _channels(count, width):
    return max(1, round(count * width))


def _residual_block(x, channels, stride, decay, numbers):
    shortcut = x
    x = _convolution(x, channels, 3, stride, decay, numbers)
    x = keras.layers.ReLU()(x)
    x = _convolution(x, channels, 3, 1, decay, numbers)
    if stride != 1 or shortcut.shape[-1] != channels:
        shortcut = _convolution(shortcut, channels, 1, stride, decay, numbers)
    return keras.layers.ReLU()(keras.layers.Add()([x, shortcut]))


def _convolution(x, channels, size, stride, decay, numbers):
    """A convolution without bias, and its batch norm."""
    x = keras.layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(next(numbers)),
        kernel_regularizer=decay,
    )(x)
    # Statistics that follow within some 50 steps: trainings here are short.
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
