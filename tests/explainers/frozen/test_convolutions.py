"""Gradients of convolutions as convolutions: against TensorFlow's, and by hand."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.explainers.frozen.test_folding import assert_same, randomised
from tf_superpixel_saliency.explainers.frozen.convolutions import (
    Geometry,
    convolution,
    geometry,
    prepared,
)
from tf_superpixel_saliency.explainers.frozen.model import FrozenModel

CASES = [
    (kernel, (1, 1), padding, dilation)
    for kernel in [(1, 1), (3, 3), (2, 2), (4, 3), (1, 5)]
    for padding in ("same", "valid")
    for dilation in ((1, 1), (2, 2))
] + [
    ((1, 1), strides, padding, (1, 1))
    for strides in ((2, 2), (3, 3))
    for padding in ("same", "valid")
]


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def slow_transpose(slope, kernel, strides, dilation, pads, size):
    """Every product of a slope and a tap, added where the tap had read."""
    padded = np.zeros((size[0] + 99, size[1] + 99, kernel.shape[2]))
    for i, j in np.ndindex(slope.shape[:2]):
        for k, m in np.ndindex(kernel.shape[:2]):
            row = i * strides[0] + k * dilation[0]
            column = j * strides[1] + m * dilation[1]
            padded[row, column] += kernel[k, m].astype("float64") @ slope[i, j]
    (top, left) = pads
    return padded[top : top + size[0], left : left + size[1]]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("size", [(9, 10), (12, 13)], ids=str)
def test_against_tensorflow_and_a_slow_twin(case, size, xla):
    kernel_size, strides, padding, dilation = case
    kernel, bias = numbers(*kernel_size, 3, 4), numbers(4, seed=1)
    images = tf.constant(numbers(2, *size, 3, seed=2))
    shape = Geometry(strides, padding, dilation)

    def ours(images):
        return convolution(images, prepared(kernel_tensor, bias), shape)

    def theirs(images):
        out = keras.ops.conv(images, kernel, strides, padding, dilation_rate=dilation)
        return out + bias

    kernel_tensor = tf.constant(kernel)
    slope = numbers(*theirs(images).shape, seed=3)

    def pulled_back(function):
        @tf.function(jit_compile=xla)
        def run(images):
            with tf.GradientTape() as tape:
                tape.watch(images)
                outputs = function(images)
            return outputs, tape.gradient(outputs, images, tf.constant(slope))

        return run(images)

    outputs, found = pulled_back(ours)
    expected_outputs, expected = pulled_back(theirs)
    np.testing.assert_allclose(outputs, expected_outputs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    reach = [(k - 1) * d for k, d in zip(kernel_size, dilation)]
    pads = [r // 2 for r in reach] if padding == "same" else (0, 0)
    twin = slow_transpose(slope[0], kernel, strides, dilation, pads, size)
    np.testing.assert_allclose(found[0], twin, rtol=1e-5, atol=1e-5)


def test_by_hand():
    """Over 1, 10: y = 2·x₀ + 3·x₁ + 5·x₂ at two places; slopes 1 and 10."""
    kernel = tf.reshape(tf.constant([2.0, 3.0, 5.0]), [1, 3, 1, 1])
    images = tf.zeros([1, 1, 4, 1])
    with tf.GradientTape() as tape:
        tape.watch(images)
        shape = Geometry((1, 1), "valid", (1, 1))
        outputs = convolution(images, prepared(kernel, None), shape)
        score = outputs[0, 0, 0, 0] + 10.0 * outputs[0, 0, 1, 0]
    assert tape.gradient(score, images).numpy().ravel().tolist() == [2, 23, 35, 50]


def test_unknown_sizes():
    kernel = tf.constant(numbers(1, 1, 3, 4))

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def slopes(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            shape = Geometry((2, 2), "same", (1, 1))
            outputs = convolution(images, prepared(kernel, None), shape)
        return tape.gradient(outputs, images)

    for size in ((5, 6), (8, 7)):
        found = slopes(numbers(2, *size, 3))
        assert found.shape == (2, *size, 3)
        expected = np.zeros((2, *size, 3), "float32")
        expected[:, ::2, ::2] = kernel[0, 0].numpy().sum(1)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def conv(*args, **kwargs):
    return keras.layers.Conv2D(4, *args, **kwargs)


@pytest.mark.parametrize(
    "layer, taken",
    [
        (lambda: conv(3, padding="same", activation="relu"), True),
        (lambda: conv(3, activation=keras.layers.LeakyReLU()), True),
        (lambda: conv(1, strides=2, use_bias=False), True),
        (lambda: conv(3, dilation_rate=2), True),
        (lambda: keras.layers.SeparableConv2D(4, 3, strides=2), True),
        (lambda: conv(3, strides=2), False),
        (lambda: conv(3, groups=2), False),
        (lambda: keras.layers.Conv2DTranspose(4, 3), False),
        (lambda: keras.layers.DepthwiseConv2D(3), False),
    ],
)
def test_layers_of_a_model(layer, taken):
    inputs = keras.Input((9, 8, 2))
    layer = layer()
    x = layer(keras.layers.Activation("tanh")(inputs))
    x = keras.layers.Activation("tanh")(x)
    x = conv(1, activation="tanh")(x)
    model = randomised(keras.Model(inputs, x))
    assert (geometry(layer) is not None) == taken
    assert FrozenModel(model).num_convolutions == 1 + taken
    assert_same(model)


def test_half_precision_layers_are_left_alone():
    inputs = keras.Input((9, 8, 2))
    x = conv(3, dtype="mixed_float16")(inputs)
    model = keras.Model(inputs, conv(1, dtype="float32", activation="tanh")(x))
    assert FrozenModel(model).num_convolutions == 1


def test_no_native_gradient_is_left():
    """Of the kind that is avoided, in the graph of a whole model's gradient."""
    sizes = itertools.pairwise((8, 3, 1, 5))
    layers = [conv(a, padding="same", activation="relu") for a, _ in sizes]
    model = keras.Sequential([keras.Input((9, 8, 2)), *layers])
    frozen = FrozenModel(model)

    @tf.function
    def slope(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = frozen(images, frozen.prepare())
        return tape.gradient(outputs, images)

    graph = slope.get_concrete_function(tf.TensorSpec([2, 9, 8, 2])).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert "Conv2D" in kinds
    assert "Conv2DBackpropInput" not in kinds
