"""Felzenszwalb: scikit-image's labels, in threads, in and out of the graph."""

import threading
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import data
from skimage.segmentation import felzenszwalb

from tests.reference import groups as reference
from tf_superpixel_saliency.superpixels.felzenszwalb import Felzenszwalb

SETTINGS = [{}, {"scale": 50}, {"scale": 100, "sigma": 0.5, "min_size": 50},
            {"scale": 3.0, "sigma": 0, "min_size": 1}]  # fmt: skip


def photos():
    shots = [data.astronaut()[60:172, 150:301], data.chelsea()[60:172, 100:251]]
    return np.stack([*shots, data.coffee()[120:232, 200:351]])


def expected(images, **settings):
    """scikit-image's labels of images in [0, 1], numbered in raster order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = [felzenszwalb(x, channel_axis=-1, **settings) for x in images]
    return reference.number(np.stack(labels))


@pytest.mark.parametrize("settings", SETTINGS)
def test_labels_are_those_of_scikit_image(settings):
    images = photos().astype(np.float32) / np.float32(255)
    wanted = expected(images, **settings)
    assert wanted.max() > 5
    np.testing.assert_array_equal(Felzenszwalb(**settings)(photos()), wanted)
    layer = Felzenszwalb(**settings, value_range=(0, 1))
    np.testing.assert_array_equal(tf.function(layer)(images), wanted)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_other_numbers_of_channels(channels):
    images = np.concatenate([photos(), photos()[:, ::-1]], axis=-1)[..., :channels]
    images = images.astype(np.float32) / np.float32(255)
    layer = Felzenszwalb(value_range=(0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segments = layer(images)
    np.testing.assert_array_equal(segments, expected(images))


@pytest.mark.parametrize("factor, shift", [(300, -20), (1e-6, 0), (1, 5)])
def test_values_out_of_the_range_give_what_scikit_image_gives(factor, shift):
    images = photos()[:1].astype(np.float32) / np.float32(255) * factor + shift
    layer = Felzenszwalb(value_range=(0, 1))
    np.testing.assert_array_equal(layer(images), expected(images))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (5, 7)])
def test_tiny_images(shape):
    images = np.random.default_rng(0).random((3, *shape, 3), np.float32)
    layer = Felzenszwalb(min_size=2, value_range=(0, 1))
    np.testing.assert_array_equal(layer(images), expected(images, min_size=2))


def test_a_constant_image_is_one_group():
    assert not Felzenszwalb()(np.full((2, 30, 20, 3), 90, np.uint8)).numpy().any()


def test_two_halves_are_two_groups():
    images = np.zeros((1, 20, 20, 3), np.uint8)
    images[:, :, 8:] = 255
    segments = Felzenszwalb(sigma=0)(images)
    np.testing.assert_array_equal(segments, images[..., 0] // 255)


def test_images_of_a_batch_are_taken_in_several_threads(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    both = threading.Barrier(2, timeout=20)

    class Meeting(Felzenszwalb):
        def segment_one(self, image):
            both.wait()  # Breaks unless two images are in the works at once.
            return super().segment_one(image)

    images = photos()[[0, 1, 2, 0]]
    np.testing.assert_array_equal(Meeting()(images), Felzenszwalb()(images))


class Failing(Felzenszwalb):
    """Fails on images that start with a white pixel."""

    def segment_one(self, image):
        if image[0, 0, 0] == 1:
            raise MemoryError("out of it")
        return super().segment_one(image)


@pytest.mark.parametrize("place", [0, 2])
def test_a_failure_in_a_thread_names_the_image_and_the_reason(place):
    images = photos()
    images[:, 0, 0] = 0
    images[place, 0, 0] = 255
    words = f"Failing could not partition image {place} of a batch .*out of it"
    with pytest.raises(RuntimeError, match=words):
        Failing()(images)
    model = keras.Sequential([keras.Input((None, None, 3), dtype="uint8"), Failing()])
    with pytest.raises(tf.errors.UnknownError, match=words):
        model.predict(images, verbose=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": -1},
        {"scale": np.nan},
        {"scale": "1"},
        {"sigma": -0.1},
        {"sigma": np.inf},
        {"min_size": -1},
        {"min_size": 2.5},
        {"min_size": True},
    ],
)
def test_settings_that_make_no_sense_are_errors(settings):
    with pytest.raises(ValueError, match=rf"Felzenszwalb: {next(iter(settings))} must"):
        Felzenszwalb(**settings)
