"""Bilinear resizing against a slow twin, by hand, and as TensorFlow does it."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import cams as reference
from tf_superpixel_saliency.ops.resizing import neighbours, resize_bilinear

SIZES = [((2, 3), (7, 9)), ((5, 4), (5, 4)), ((1, 1), (3, 2)), ((6, 7), (2, 3))]


def draw(size):
    return np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)


@pytest.mark.parametrize(("small", "large"), SIZES)
def test_equals_the_twin_and_tensorflow(xla, small, large):
    values = draw(small)
    resize = tf.function(lambda x: resize_bilinear(x, *large), jit_compile=xla)
    found = resize(values).numpy()
    assert found.shape == (2, *large, 3)
    for image, one in zip(values, found):
        for channel in range(3):
            expected = reference.resized(image[..., channel], *large)
            # Places of up to 6.5 in float32, times slopes of up to 4.
            np.testing.assert_allclose(one[..., channel], expected, atol=4e-6)
    np.testing.assert_allclose(found, tf.image.resize(values, large), atol=4e-6)


def test_by_hand():
    line = tf.constant([0.0, 4.0])[None, None, :, None]
    found = resize_bilinear(line, 1, 4).numpy().ravel()
    # Centres at −¼, ¼, ¾, 1¼ of the two pixels: the ends are repeated.
    np.testing.assert_array_equal(found, [0, 1, 3, 4])


def test_the_same_size_is_the_same_image():
    values = draw((5, 4))
    np.testing.assert_array_equal(resize_bilinear(values, 5, 4), values)


def test_sizes_may_be_unknown_until_it_runs():
    @tf.function(input_signature=[tf.TensorSpec([None] * 4), tf.TensorSpec([None] * 2)])
    def resize(values, like):
        return resize_bilinear(values, *tf.unstack(tf.shape(like)))

    values = draw((2, 3))
    expected = resize_bilinear(values, 7, 9)
    np.testing.assert_array_equal(resize(values, np.zeros((7, 9))), expected)


def test_neighbours_outside_are_the_nearest():
    below, above, share = neighbours(tf.constant([-3.0, 0.0, 0.25, 1.0, 1.9, 9.0]), 3)
    np.testing.assert_array_equal(below, [0, 0, 0, 1, 1, 2])
    np.testing.assert_array_equal(above, [1, 1, 1, 2, 2, 2])
    np.testing.assert_allclose(share, [0, 0, 0.25, 0, 0.9, 0], atol=1e-6)
