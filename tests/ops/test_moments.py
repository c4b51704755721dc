"""Moments of maps that come in parts: against NumPy, by hand, and at the ends."""

import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.ops import moments


def known_of(maps, weights, sizes):
    known = moments.no_moments(tf.zeros(maps.shape[1:]))
    for part in np.split(np.arange(len(maps)), np.cumsum(sizes)[:-1]):
        known = moments.add_maps(
            known,
            tf.constant(maps[part], tf.float32),
            tf.constant(weights[part], tf.float32),
        )
    return known


@pytest.mark.parametrize("sizes", [[9], [1] * 9, [4, 0, 5]])
def test_mean_and_error_do_not_depend_on_the_parts(sizes):
    rng = np.random.default_rng(0)
    maps = 100 + rng.standard_normal((9, 3, 2, 2))
    weights = np.array([1, 1, 0.5, 0, 1, 1, 2, 1, 1.0])
    known = known_of(maps, weights, sizes)
    mean = np.average(maps, axis=0, weights=weights)
    scatter = np.tensordot(weights, (maps - mean) ** 2, 1)
    np.testing.assert_allclose(known.mean, mean, rtol=1e-6)
    assert known.count == 8  # one counts for nothing
    error = np.sqrt(scatter / (7 * weights.sum()))
    np.testing.assert_allclose(moments.standard_error(known), error, rtol=1e-4)


def test_by_hand():
    # 1, 2 and 6: mean 3, variance 7, of the mean 7/3.
    maps = np.array([1.0, 2.0, 6.0]).reshape(3, 1, 1, 1)
    known = known_of(maps, np.ones(3), [3])
    error = moments.standard_error(known)
    np.testing.assert_allclose(error, [[[np.sqrt(7 / 3)]]], rtol=1e-6)
    # 7/3 of 9 is noise.
    expected = np.sqrt((7 / 3) / (9 - 7 / 3))
    found = moments.relative_error(known.mean, error)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_error_is_that_of_the_mean():
    # Maps of weight w are means of 2w parts of unit variance.
    rng = np.random.default_rng(1)
    weights = np.array([1, 1, 1, 1, 0.5])
    trials = (
        rng.standard_normal((5, 4000, 1, 1)) / np.sqrt(2 * weights)[:, None, None, None]
    )
    known = known_of(trials, weights, [2, 3])
    variance = np.square(moments.standard_error(known)).mean()
    np.testing.assert_allclose(variance, 1 / 9, rtol=0.05)
    np.testing.assert_allclose(np.var(known.mean), 1 / 9, rtol=0.05)


def test_maps_that_are_the_same_have_no_error():
    maps = np.broadcast_to(np.float32(0.1), (40, 2, 2, 1))
    known = known_of(maps, np.ones(40), [7, 33])
    # But for the last bit of 0.1; squares and a difference would leave 1e-4 of it.
    assert moments.standard_error(known).numpy().max() < 0.1 * 2**-23
    zero = tf.zeros([2, 2, 1])
    assert moments.relative_error(known.mean, zero) == 0
    assert moments.relative_error(zero, zero) == 0


def test_one_map_has_no_known_error():
    known = known_of(np.ones((1, 2, 2, 1)), np.ones(1), [1])
    error = moments.standard_error(known)
    assert np.isnan(error).all()
    assert np.isnan(moments.relative_error(known.mean, error))


def test_a_map_below_its_noise_has_an_infinite_error():
    found = moments.relative_error(tf.ones([2, 2, 1]), 1.1 * tf.ones([2, 2, 1]))
    assert np.isinf(found)
