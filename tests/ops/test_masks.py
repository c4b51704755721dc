"""Random masks against a slow twin from the same bits, and what they are."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import cams as reference
from tf_superpixel_saliency.ops.masks import apply_masks, smooth_masks


@functools.cache
def compiled(size, grid, probability, seed, jit_compile):
    return tf.function(
        lambda numbers: smooth_masks(numbers, *size, grid, probability, seed),
        input_signature=[tf.TensorSpec([None], tf.int32)],
        jit_compile=jit_compile,
    )


def draw(numbers, size=(9, 7), grid=3, probability=0.5, seed=0, jit_compile=False):
    return compiled(size, grid, probability, seed, jit_compile)(numbers).numpy()


def raw_bits(grid, seed, number):
    """Philox' bits as TensorFlow gives them: where the twin starts."""
    return tf.random.stateless_uniform(
        [grid * grid + 2], [seed, number], None, None, tf.uint32, alg="philox"
    ).numpy()


SETTINGS = [
    ((9, 7), 3, 0.5),
    ((12, 11), 4, 0.3),
    ((5, 5), 1, 0.5),
    ((4, 3), 7, 0.8),
]


@pytest.mark.cases(2)
@pytest.mark.parametrize(("size", "grid", "probability"), SETTINGS)
def test_equals_the_twin(xla, size, grid, probability):
    numbers = [0, 1, 2, 77]
    for seed in (0, 2**31 - 1):
        found = draw(numbers, size, grid, probability, seed, xla)
        for number, mask in zip(numbers, found):
            bits = raw_bits(grid, seed, number)
            expected = reference.smooth_mask(bits, size, grid, probability)
            np.testing.assert_allclose(mask, expected, atol=2e-6)


def test_by_hand():
    # Cells 1 and 0 in a row, enlarged to 3·2 pixels; the shift is 1 of 0…1.
    bits = np.uint32([0, 2**32 - 1, 2**32 - 1, 2**32 - 1, 0, 2**32 - 1])
    row = reference.smooth_mask(bits, (4, 4), 2, 0.5)[0]
    large = [reference.interpolated([1, 0], (i + 0.5) / 3 - 0.5) for i in range(6)]
    np.testing.assert_allclose(large, [1, 1, 2 / 3, 1 / 3, 0, 0], atol=1e-12)
    np.testing.assert_allclose(row, large[1:5])


def test_each_mask_is_set_by_its_number_alone():
    whole = draw(list(range(6)))
    for numbers in ([5, 0], [3], [2, 2, 4]):
        np.testing.assert_array_equal(draw(numbers), whole[numbers])
    assert len(np.unique(whole.reshape(6, -1), axis=0)) == 6
    assert not np.array_equal(draw([0], seed=1), draw([0], seed=0))


def test_every_mask_has_a_shift_of_its_own():
    # Where a ramp between two cells ends tells the shift; a chunk that shared one
    # would have one pattern of constant pixels.
    masks = draw(list(range(64)), size=(1, 64), grid=2)
    starts = {
        tuple(np.flatnonzero(np.abs(np.diff(mask[0])) > 1e-5)[[0]])
        for mask in masks
        if np.ptp(mask) > 0.9
    }
    assert len(starts) > 10


def test_values_are_in_range_and_their_mean_is_the_probability():
    for probability in (0.2, 0.5):
        masks = draw(list(range(4000)), probability=probability)
        assert masks.min() >= 0 and masks.max() <= 1
        # A pixel's variance is at most p(1 − p): five standard errors.
        error = 5 * np.sqrt(probability * (1 - probability) / 4000)
        assert np.abs(masks.mean(axis=0) - probability).max() < error


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_at_the_ends_nothing_or_all_is_kept(probability):
    masks = draw(list(range(50)), probability=probability)
    np.testing.assert_array_equal(masks, np.full_like(masks, probability))


def test_apply_masks_by_hand():
    images = np.float32([[[[10.0, 20.0]]], [[[30.0, 40.0]]]])  # two of one pixel
    masks = np.float32([1.0, 0.0, 0.25]).reshape(3, 1, 1, 1)
    rows = apply_masks(tf.constant(images), tf.constant(masks), np.float32([2, 4]))
    expected = [[10, 20], [30, 40], [2, 4], [2, 4], [4, 8], [9, 13]]
    np.testing.assert_array_equal(rows[:, 0, 0], expected)


def test_apply_masks_takes_a_mask_for_each_image():
    images = tf.ones([2, 1, 1, 1])
    masks = tf.reshape(tf.constant([1.0, 2.0, 3.0, 4.0]), [2, 2, 1, 1])
    rows = apply_masks(images, masks, tf.constant(0.0))
    np.testing.assert_array_equal(tf.reshape(rows, [-1]), [1, 2, 3, 4])
