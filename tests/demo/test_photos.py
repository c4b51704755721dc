from __future__ import annotations

import socket

import numpy as np
import pytest
import tensorflow as tf
from skimage import data

from tf_superpixel_saliency import demo


def random_image(height, width, seed=0):
    shape = (height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def area_twin(image, size):
    """Means over blocks, after repeating pixels until blocks hold whole ones."""
    height, width = image.shape[:2]
    fine = image.repeat(size, axis=0).repeat(size, axis=1).astype(np.float64)
    return fine.reshape(size, height, size, width, 3).mean(axis=(1, 3))


@pytest.mark.parametrize("side, size", [(12, 4), (37, 10), (23, 22), (9, 1), (8, 8)])
def test_reduces_by_area(side, size):
    image = random_image(side, side)
    found = demo.prepare(image, size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, area_twin(image, size), atol=2e-5)


def test_reduces_by_hand():
    # Three pixels to two: each takes one and a half.
    image = np.array([0, 30, 90], np.uint8)[None, :, None].repeat(3, 0).repeat(3, 2)
    expected = [(0 + 15) / 1.5, (15 + 90) / 1.5]
    np.testing.assert_allclose(demo.prepare(image, 2)[0, :, 0], expected, rtol=1e-6)


def test_enlarges_bilinearly():
    row = np.array([0, 100], np.uint8)[None, :, None].repeat(2, 0).repeat(3, 2)
    np.testing.assert_allclose(demo.prepare(row, 4)[1, :, 2], [0, 25, 75, 100])
    image = random_image(13, 13)
    expected = tf.image.resize(image, (31, 31), method="bilinear")
    np.testing.assert_allclose(demo.prepare(image, 31), expected, atol=1e-3)


def test_crops_the_centre():
    wide = random_image(20, 33)
    np.testing.assert_array_equal(demo.prepare(wide, 20), wide[:, 6:26])
    tall = wide.swapaxes(0, 1)
    np.testing.assert_array_equal(demo.prepare(tall, 20), tall[6:26])
    np.testing.assert_array_equal(
        demo.prepare(wide, 7), demo.prepare(wide[:, 6:26].copy(), 7)
    )


def test_squeezes_each_side_in_its_own_way():
    image = random_image(20, 60)
    np.testing.assert_allclose(
        demo.prepare(image, 15, crop=False), area_twin(image, 15), atol=2e-5
    )
    # Rows become more and columns fewer: three half columns make one.
    fewer_columns = image.repeat(2, axis=1).reshape(20, 40, 3, 3).mean(axis=2)
    expected = tf.image.resize(fewer_columns, (40, 40), method="bilinear")
    found = demo.prepare(image, 40, crop=False)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("size", [5, 50, 224])
def test_constants_stay(size):
    image = np.full((50, 61, 3), 255, np.uint8)
    np.testing.assert_allclose(demo.prepare(image, size), 255, rtol=1e-6)


def test_types_agree_and_the_input_is_left_alone():
    image = random_image(30, 30)
    before = image.copy()
    expected = demo.prepare(image, 11)
    np.testing.assert_allclose(demo.prepare(image / 1.0, 11), expected, rtol=1e-6)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    "image, size, error, message",
    [
        (np.zeros((8, 8)), 4, ValueError, r"\(H, W, 3\), but got shape \(8, 8\)"),
        (np.zeros((8, 8, 4)), 4, ValueError, "drop an alpha channel"),
        (np.zeros((1, 8, 8, 3)), 4, ValueError, r"\(1, 8, 8, 3\)"),
        (np.zeros((0, 8, 3)), 4, ValueError, r"\(0, 8, 3\)"),
        (np.zeros((8, 8, 3), bool), 4, TypeError, "but got bool"),
        (np.zeros((8, 8, 3), "S1"), 4, TypeError, "numbers in 0…255"),
        (np.zeros((8, 8, 3)), 0, ValueError, "at least 1 pixel, but got 0"),
        (np.zeros((8, 8, 3)), 4.5, TypeError, "integer"),
    ],
)
def test_wrong_input(image, size, error, message):
    with pytest.raises(error, match=message):
        demo.prepare(image, size)


def test_photos_need_no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("something tried to reach the network")

    monkeypatch.setattr(socket, "socket", refuse)
    names, images = demo.load_photos(48, crop=True)
    assert names == ("chelsea", "coffee", "motorcycle", "rocket")
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images[0], demo.prepare(data.chelsea(), 48))
    np.testing.assert_array_equal(images[3], demo.prepare(data.rocket(), 48))
    assert images.min() >= 0 and images.max() <= 255
    # In 0…255, not in 0…1.
    assert all(image.std() > 30 for image in images)
