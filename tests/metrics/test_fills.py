"""Fills against loops and cases solved by hand."""

import numpy as np
import pytest

from tests.reference import fidelity as reference
from tf_superpixel_saliency.metrics.fills import fill_images

IMAGES = np.random.default_rng(0).random((2, 6, 13, 3)).astype(np.float32)


def test_the_mean_is_one_colour_over_all_images():
    found = fill_images(IMAGES, "mean")
    assert found.shape == IMAGES.shape and found.dtype == np.float32
    colours = [[IMAGES[..., c].astype(float).mean() for c in range(3)]]
    np.testing.assert_allclose(found.reshape(-1, 3), colours * (2 * 6 * 13), rtol=1e-6)


def test_black_is_zero():
    assert not fill_images(IMAGES + 5, "black").any()


def test_blur_equals_the_twin():
    expected = [reference.blur(image) for image in IMAGES.astype(np.float64)]
    np.testing.assert_allclose(fill_images(IMAGES, "blur"), expected, atol=1e-6)


def test_blur_of_a_point_is_the_kernel():
    image = np.zeros((1, 15, 15, 1), np.float32)
    image[0, 7, 7] = 1
    found = fill_images(image, "blur")[0, :, :, 0]
    assert (found > 0).sum() == 11 * 11
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-6)
    np.testing.assert_allclose(found[7, 12] / found[7, 7], np.exp(-0.5), rtol=1e-5)


def test_blur_keeps_flat_images_and_leaves_its_argument_alone():
    flat = np.full((1, 20, 20, 2), 77.0, np.float32)
    np.testing.assert_allclose(fill_images(flat, "blur"), flat, rtol=1e-6)
    before = IMAGES.copy()
    fill_images(IMAGES, "blur")
    np.testing.assert_array_equal(IMAGES, before)


@pytest.mark.parametrize("shape", [(3,), (6, 13, 3), (2, 6, 13, 3)])
def test_arrays_are_taken_as_they_are(shape):
    values = np.random.default_rng(1).random(shape)
    found = fill_images(IMAGES, values)
    expected = np.broadcast_to(values, IMAGES.shape).astype(np.float32)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "fill, text",
    [
        ("white", "fill must be one of"),
        (np.zeros(4), r"fill must be one of .* shape \(4,\)"),
        (0.5, "fill must be one of"),
        (["a", "b", "c"], "fill must be one of"),
        ([0, np.inf, 0], "finite"),
    ],
)
def test_other_fills_are_refused(fill, text):
    with pytest.raises(ValueError, match=text):
        fill_images(IMAGES, fill)
