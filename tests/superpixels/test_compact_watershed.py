"""CompactWatershed: scikit-image's labels on the gradient of the gray image."""

import numpy as np
import pytest
import tensorflow as tf
from skimage import data
from skimage.color import rgb2gray
from skimage.filters import sobel
from skimage.segmentation import watershed

from tests.reference import groups as reference
from tf_superpixel_saliency.superpixels.compact_watershed import CompactWatershed

SETTINGS = [{}, {"markers": 40}, {"markers": 600, "compactness": 0.1},
            {"markers": 90, "compactness": 0, "connectivity": 2}]  # fmt: skip


def photos():
    shots = [data.astronaut()[60:172, 150:301], data.chelsea()[60:172, 100:251]]
    return np.stack([*shots, data.coffee()[120:232, 200:351]])


def expected(grays, markers=250, compactness=0.001, connectivity=1):
    """scikit-image's labels of gray images in [0, 1], in raster order."""
    labels = [
        watershed(sobel(gray), markers, connectivity, compactness=compactness)
        for gray in grays
    ]
    return reference.number(np.stack(labels))


@pytest.mark.parametrize("settings", SETTINGS)
def test_labels_are_those_of_scikit_image(settings):
    images = photos().astype(np.float32) / np.float32(255)
    wanted = expected([rgb2gray(image) for image in images], **settings)
    assert wanted.max() > 20
    np.testing.assert_array_equal(CompactWatershed(**settings)(photos()), wanted)
    layer = CompactWatershed(**settings, value_range=(0, 1))
    np.testing.assert_array_equal(tf.function(layer)(images), wanted)


def test_one_channel_is_gray_and_others_are_averaged():
    images = np.concatenate([photos(), photos()[:, ::-1]], axis=-1)
    images = images.astype(np.float32) / np.float32(255)
    layer = CompactWatershed(value_range=(0, 1))
    np.testing.assert_array_equal(layer(images[..., :1]), expected(images[..., 0]))
    for channels in (2, 4, 5):
        some = images[..., :channels]
        np.testing.assert_array_equal(layer(some), expected(some.mean(axis=-1)))


@pytest.mark.parametrize("factor, shift", [(300, -20), (1e-6, 0), (1, 5)])
def test_values_out_of_the_range_give_what_scikit_image_gives(factor, shift):
    images = photos()[:1].astype(np.float32) / np.float32(255) * factor + shift
    layer = CompactWatershed(value_range=(0, 1))
    np.testing.assert_array_equal(
        layer(images), expected([rgb2gray(image) for image in images])
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (5, 7)])
@pytest.mark.parametrize("markers", [1, 3, 250])
def test_tiny_images(shape, markers):
    images = np.random.default_rng(0).random((3, *shape, 3), np.float32)
    layer = CompactWatershed(markers, value_range=(0, 1))
    grays = [rgb2gray(image) for image in images]
    np.testing.assert_array_equal(layer(images), expected(grays, markers))


def test_as_many_markers_as_pixels_make_each_pixel_a_group():
    segments = CompactWatershed(80)(photos()[:1, :8, :10])
    np.testing.assert_array_equal(segments, np.arange(80).reshape(1, 8, 10))


def test_a_constant_image_is_cut_halfway_between_the_seeds():
    # The four seeds of 8×8 are at rows and columns 2 and 6. Row and column 4 are as
    # far from one as from the other; all other pixels have one nearest seed.
    segments = CompactWatershed(4)(np.full((1, 8, 8, 3), 90, np.uint8)).numpy()[0]
    halves = slice(0, 4), slice(5, 8)
    blocks = [segments[rows, columns] for rows in halves for columns in halves]
    assert all((block == block[0, 0]).all() for block in blocks)
    assert {int(block[0, 0]) for block in blocks} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "settings",
    [
        {"markers": 0},
        {"markers": 2.5},
        {"markers": None},
        {"compactness": -1},
        {"compactness": np.nan},
        {"connectivity": 3},
        {"connectivity": None},
    ],
)
def test_settings_that_make_no_sense_are_errors(settings):
    words = rf"CompactWatershed: {next(iter(settings))} must"
    with pytest.raises(ValueError, match=words):
        CompactWatershed(**settings)
