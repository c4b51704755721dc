"""Convolutions whose gradient in the input is a convolution too.

The transpose of a convolution with stride 1 is one with the kernel turned round and its
channels exchanged. TensorFlow's Conv2DBackpropInput is, on processors, a product of
matrices and a scattered sum of what overlaps, and takes 1.5 to 2.7 times as long as a
convolution of that size.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf


class Geometry(NamedTuple):
    """Of a convolution (N, H, W, C) → (N, h, w, K), as Keras gives it."""

    strides: tuple
    padding: str
    dilation_rate: tuple


class Kernel(NamedTuple):
    """What a convolution needs, made once before a loop over samples.

    Attributes:
        kernel: (k, l, C, K).
        bias: (K,), or None.
        turned: (k, l, K, C), the kernel of the transpose; None for 1×1, where the
            product with the transposed matrix needs no copy.
    """

    kernel: tf.Tensor
    bias: tf.Tensor | None
    turned: tf.Tensor | None


def geometry(layer) -> Geometry | None:
    """Of a layer's convolution, if its transpose is one of that size, else None.

    With a stride the transpose goes over a larger picture, where the native gradient is
    as fast; but for 1×1 kernels, whose result is only moved apart. Of a SeparableConv2D
    it is the second one, which is 1×1.
    """
    if getattr(layer, "data_format", None) != "channels_last":
        return None
    if type(layer) is keras.layers.SeparableConv2D:
        return Geometry((1, 1), "valid", (1, 1))
    if type(layer) is not keras.layers.Conv2D or layer.groups != 1:
        return None
    if layer.padding not in ("same", "valid"):
        return None
    if set(layer.strides) != {1} and set(layer.kernel_size) != {1}:
        return None
    return Geometry(layer.strides, layer.padding, layer.dilation_rate)


def prepared(kernel: tf.Tensor, bias: tf.Tensor | None) -> Kernel:
    """The kernel's transpose beside it: (k, l, C, K), (K,) or None."""
    turned = None
    if kernel.shape[:2] != (1, 1):
        turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
    return Kernel(kernel, bias, turned)


def convolution(inputs: tf.Tensor, weights: Kernel, geometry: Geometry) -> tf.Tensor:
    """A convolution and its bias.

    No gradient in the weights is known: they are not watched while a model explains.

    Args:
        inputs: (N, H, W, C) float32.
        weights: of `prepared`.
        geometry: with strides of 1, or of a 1×1 kernel.

    Returns:
        (N, h, w, K).
    """
    kernel, bias, turned = weights

    @tf.custom_gradient
    def convolve(inputs):
        outputs = tf.nn.conv2d(
            inputs,
            kernel,
            geometry.strides,
            geometry.padding.upper(),
            dilations=geometry.dilation_rate,
        )
        if bias is not None:  # in here, since TensorFlow fuses the two
            outputs = tf.nn.bias_add(outputs, bias)

        def gradient(slope):
            if turned is None:
                slope = _by_matrix(slope, kernel)
                return _moved_apart(slope, geometry.strides, inputs)
            pads = _pads_of_transpose(kernel.shape[:2], geometry)
            return tf.nn.conv2d(
                slope, turned, 1, pads, dilations=geometry.dilation_rate
            )

        return outputs, gradient

    return convolve(inputs)


def _by_matrix(slope, kernel):
    """(N, h, w, K) → (N, h, w, C), each place by itself."""
    rows = tf.reshape(slope, [-1, slope.shape[3]])
    rows = tf.matmul(rows, kernel[0, 0], transpose_b=True)
    shape = tf.concat([tf.shape(slope)[:3], [kernel.shape[2]]], 0)
    return tf.ensure_shape(tf.reshape(rows, shape), [*slope.shape[:3], kernel.shape[2]])


def _moved_apart(slope, strides, inputs):
    """Zeros between the places that a convolution with strides did not look at."""
    if set(strides) == {1}:
        return slope
    vertical, horizontal = strides
    shape = tf.shape(slope)
    channels = slope.shape[3]
    places = tf.reshape(slope, [-1, shape[1], 1, shape[2], 1, channels])
    gaps = [[0, vertical - 1], [0, 0], [0, horizontal - 1]]
    places = tf.pad(places, [[0, 0], [0, 0], *gaps, [0, 0]])
    wide = [-1, shape[1] * vertical, shape[2] * horizontal, channels]
    places = tf.reshape(places, wide)  # up to strides − 1 rows too many
    height, width = tf.shape(inputs)[1], tf.shape(inputs)[2]
    places = places[:, :height, :width]
    return tf.ensure_shape(places, inputs.shape)


def _pads_of_transpose(kernel_size, geometry):
    """What the slope is padded with, so that the result is of the input's size."""
    same = geometry.padding == "same"
    pads = []
    for size, dilation in zip(kernel_size, geometry.dilation_rate):
        reach = (size - 1) * dilation
        before = reach // 2  # of "same", as TensorFlow pads
        pads.append([reach - before, before] if same else [reach, reach])
    if same and all(before == after for before, after in pads):
        return "SAME"
    return [[0, 0], *pads, [0, 0]]
