"""SquareGrid against loops and fractions, and by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import square_grid as reference
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer
from tf_superpixel_saliency.superpixels.felzenszwalb import Felzenszwalb
from tf_superpixel_saliency.superpixels.quickshift import Quickshift
from tf_superpixel_saliency.superpixels.random_partition import RandomPartition
from tf_superpixel_saliency.superpixels.square_grid import SquareGrid

SIZES = [(1, 1), (1, 13), (17, 1), (2, 2), (7, 5), (20, 31), (32, 32), (60, 45)]


def blank(height, width, batch=1):
    return np.zeros((batch, height, width, 1), np.float32)


@keras.saving.register_keras_serializable(package="test_square_grid")
class CountInCorner(SuperpixelLayer):
    """As many groups as the number in the first pixel says: p known at run time."""

    def segment(self, images):
        shape = tf.shape(images)
        raster = tf.range(shape[1] * shape[2])
        last = tf.cast(images[:, 0, 0, :1], tf.int32) - 1
        return tf.reshape(tf.minimum(raster, last), shape[:3])


def wanting(counts, height, width):
    """A batch whose images want these numbers of groups."""
    images = blank(height, width, len(counts))
    images[:, 0, 0, 0] = counts
    return images


@pytest.mark.parametrize("height, width", SIZES)
@pytest.mark.parametrize("size", [1, 2, 5, 16, 1000, 2**40])
def test_squares_of_a_size(height, width, size):
    segments = SquareGrid(size)(blank(height, width, 2)).numpy()
    expected = reference.squares(size, height, width)
    # Cells start in raster order, so the labels need no numbering anew.
    np.testing.assert_array_equal(segments, [expected, expected])


def test_squares_by_hand():
    expected = [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]
    np.testing.assert_array_equal(SquareGrid(2)(blank(3, 5))[0], expected)


def test_a_number_of_segments_by_hand():
    expected = [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]
    expected = np.repeat(expected, 2, axis=0)
    np.testing.assert_array_equal(SquareGrid(n_segments=6)(blank(4, 6))[0], expected)
    np.testing.assert_array_equal(
        SquareGrid(n_segments=2)(blank(2, 5))[0], [[0, 0, 0, 1, 1]] * 2
    )


@pytest.mark.cases(2)
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("height, width", SIZES)
def test_cells_equal_the_twins_for_every_image(height, width, jit_compile):
    pixels = height * width
    counts = np.unique(np.geomspace(1, pixels, 25).astype(int))
    layer = SquareGrid(like=CountInCorner(value_range=(0, 1)))
    run = tf.function(
        layer.__call__,
        jit_compile=jit_compile,
        input_signature=[tf.TensorSpec([None, None, None, 1])],
    )
    segments = run(wanting(counts, height, width)).numpy()
    for count, labels in zip(counts.tolist(), segments):
        rows, columns = reference.rows_and_columns(count, height, width)
        expected = reference.cells(rows, columns, height, width)
        np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("height, width", SIZES)
def test_the_number_is_within_a_twentieth_where_any_grid_is(height, width):
    pixels = height * width
    for count in np.unique(np.geomspace(1, pixels, 12).astype(int)).tolist():
        segments = SquareGrid(n_segments=count)(blank(height, width)).numpy()
        error = abs(segments.max() + 1 - count) / count
        assert error <= max(0.05, float(reference.least_error(count, height, width)))


@pytest.mark.parametrize("height, width", [(224, 224), (32, 32), (300, 451), (64, 17)])
def test_the_number_is_within_a_twentieth_and_cells_are_nearly_square(height, width):
    for count in (1, 7, 53, 100, 997, 1009):
        labels = SquareGrid(n_segments=count)(blank(height, width)).numpy()[0]
        assert abs(labels.max() + 1 - count) <= 0.05 * count
        columns = len(np.unique(labels[0]))
        rows = (labels.max() + 1) / columns
        stretch = (height / rows) / (width / columns)
        if count >= 100:  # of 53, only 6×9 is near enough on a square image
            assert 0.8 < stretch < 1.25


@pytest.mark.thorough
def test_as_many_squares_as_another_layer_has_groups_on_each_image():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 40, 50, 3)).astype(np.uint8)
    images[1, :20] = 7
    images[2] //= 16
    images[3] = 0
    for like in (Felzenszwalb(min_size=4), RandomPartition(900, seed=1), Quickshift()):
        wanted = like(images).numpy().max(axis=(1, 2)) + 1
        counts = SquareGrid(like=like)(images).numpy().max(axis=(1, 2)) + 1
        assert (abs(counts - wanted) <= 0.05 * wanted).all()
    assert len(set(Felzenszwalb(min_size=4)(images).numpy().max(axis=(1, 2)))) == 4


def test_degenerate_grids():
    assert not SquareGrid(n_segments=1)(blank(9, 7)).numpy().any()
    each = np.arange(63).reshape(1, 9, 7)
    np.testing.assert_array_equal(SquareGrid(n_segments=63)(blank(9, 7)), each)
    np.testing.assert_array_equal(SquareGrid(1)(blank(9, 7)), each)


@pytest.mark.parametrize("name", ["size", "n_segments"])
@pytest.mark.parametrize("value", [0, -3, 2.5, "4", True, np.nan])
def test_numbers_that_make_no_sense_are_errors(name, value):
    with pytest.raises(ValueError, match=f"SquareGrid: {name} must be a whole number"):
        SquareGrid(**{name: value})


@pytest.mark.parametrize(
    "given, words",
    [
        ({}, "none"),
        ({"size": 3, "n_segments": 4}, "size and n_segments"),
        ({"n_segments": 4, "like": Felzenszwalb()}, "n_segments and like"),
    ],
)
def test_exactly_one_is_to_be_given(given, words):
    with pytest.raises(ValueError, match=f"exactly one of .*but got {words}"):
        SquareGrid(**given)


def test_more_segments_than_pixels_are_an_error():
    layer = SquareGrid(n_segments=21)
    with pytest.raises(ValueError, match="n_segments=21 is more than the image has"):
        layer(blank(4, 5))
    graph = tf.function(
        layer.__call__, input_signature=[tf.TensorSpec([None, None, None, 1])]
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="n_segments=21 is more"):
        graph(blank(4, 5))
    assert graph(blank(3, 7)).numpy().max() == 20


@pytest.mark.parametrize("like", ["Quickshift", Felzenszwalb, keras.layers.ReLU()])
def test_like_must_be_a_layer_of_super_pixels(like):
    with pytest.raises(ValueError, match="like must be a super-pixel layer"):
        SquareGrid(like=like)


def test_the_range_follows_like():
    like = Felzenszwalb(value_range=(0, 1))
    assert SquareGrid(like=like).value_range == (0, 1)
    assert SquareGrid(like=like, value_range=(0, 1)).value_range == (0, 1)
    assert SquareGrid(3).value_range == (0, 255)
    with pytest.raises(ValueError, match="Leave value_range out to follow like"):
        SquareGrid(like=like, value_range=(0, 255))


def test_like_is_tracked():
    like = Felzenszwalb()
    assert like in SquareGrid(like=like)._flatten_layers(include_self=False)
