"""Gaussian smoothing against scikit-image and cases solved by hand."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.filters import gaussian

from tf_superpixel_saliency.ops.filters import gaussian_filter


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 9, 31, 3))


@pytest.mark.parametrize("sigma", [0, 0.05, 0.3, 1, 2.7, 20])
def test_same_as_scikit_image(images, sigma):
    smoothed = gaussian_filter(tf.constant(images), sigma)
    for ours, image in zip(smoothed.numpy(), images):
        theirs = gaussian(image, sigma, mode="reflect", truncate=4.0, channel_axis=-1)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


def test_one_pixel_spreads_as_the_sampled_gaussian():
    image = np.zeros((1, 9, 9, 1))
    image[0, 4, 4, 0] = 1.0
    weights = np.exp(-0.5 * (np.arange(-2, 3) / 0.5) ** 2)
    weights /= weights.sum()
    expected = np.zeros((9, 9))
    expected[2:7, 2:7] = np.outer(weights, weights)
    found = gaussian_filter(tf.constant(image), 0.5)[0, :, :, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_mean_is_kept_and_a_flat_image_stays(images):
    smoothed = gaussian_filter(tf.constant(images), 3.0).numpy()
    np.testing.assert_allclose(smoothed.mean(axis=(1, 2)), images.mean(axis=(1, 2)))
    flat = gaussian_filter(tf.ones([1, 4, 6, 1], tf.float64), 7.0)
    np.testing.assert_allclose(flat, 1.0, rtol=1e-14)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_unknown_sizes_and_xla(images, jit_compile):
    spec = tf.TensorSpec([None, None, None, None], tf.float64)
    smooth = tf.function(
        lambda x: gaussian_filter(x, 4.0), [spec], jit_compile=jit_compile
    )
    for part in (images, images[:1, :2, :5]):
        expected = gaussian_filter(tf.constant(part), 4.0)
        np.testing.assert_allclose(smooth(part), expected, rtol=0, atol=1e-15)


def test_type_is_kept(images):
    smoothed = gaussian_filter(tf.constant(images, tf.float32), 1.0)
    assert smoothed.dtype == tf.float32
    np.testing.assert_allclose(
        smoothed, gaussian_filter(tf.constant(images), 1.0), atol=1e-6
    )


@pytest.mark.parametrize("sigma", [-1, np.nan, np.inf])
def test_a_width_that_makes_no_sense(images, sigma):
    with pytest.raises(ValueError, match="sigma must be"):
        gaussian_filter(tf.constant(images), sigma)
