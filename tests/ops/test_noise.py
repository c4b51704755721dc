"""The noise against its raw bits, as normal numbers, and with and without XLA."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.reference import noise as reference
from tf_superpixel_saliency.ops import noise


@functools.cache
def compiled(shape, seed, jit_compile):
    return tf.function(
        lambda samples: noise.normal_samples(tf.constant(shape), seed, samples),
        jit_compile=jit_compile,
    )


def draw(shape, seed=0, samples=(0,), jit_compile=False):
    function = compiled(tuple(shape), seed, jit_compile)
    return function(tf.constant(samples, tf.int32)).numpy()


def raw_bits(size, seed, sample):
    """Philox' bits as TensorFlow gives them: where the twin starts."""
    bits = tf.random.stateless_uniform(
        [2, (size + 1) // 2], [seed, sample], None, None, tf.uint32, alg="philox"
    )
    return bits.numpy()


@pytest.mark.cases(1)
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5, 1), (16, 16, 3), (2, 31, 33)])
def test_equals_box_and_muller_in_float64(xla, shape):
    for seed, sample in ((0, 0), (5, 3), (2**31 - 1, 49)):
        found = draw(shape, seed, [sample], xla)[0]
        size = int(np.prod(shape))
        expected = reference.normals(raw_bits(size, seed, sample), size)
        np.testing.assert_allclose(found.ravel(), expected, rtol=0, atol=3e-6)
        assert found.shape == shape


def test_by_hand():
    # Bits 0 and 0: u = 2⁻²⁵, radius √(50 ln 2), angle 2π·2⁻²⁵.
    expected = reference.normals(np.zeros((2, 1), np.uint32), 1)
    np.testing.assert_allclose(expected, np.sqrt(50 * np.log(2)), rtol=1e-12)


def test_xla_gives_the_same_numbers():
    samples = list(range(8))
    plain, fused = (draw((31, 33, 3), 1, samples, jit) for jit in (False, True))
    np.testing.assert_allclose(plain, fused, rtol=0, atol=2e-6)
    assert np.mean(np.abs(plain - fused)) < 1e-7


def test_eager_gives_the_same_numbers():
    eager = noise.standard_normal(tf.constant([9, 9]), 4, tf.constant(2)).numpy()
    np.testing.assert_allclose(eager, draw((9, 9), 4, [2])[0], rtol=0, atol=1e-6)


def test_numbers_are_normal():
    numbers = draw((200_000,), 11)[0].astype(np.float64)
    count = len(numbers)
    assert np.isfinite(numbers).all()
    # Five standard errors each.
    assert abs(numbers.mean()) < 5 / np.sqrt(count)
    assert abs(numbers.var() - 1) < 5 * np.sqrt(2 / count)
    assert abs(stats.skew(numbers)) < 5 * np.sqrt(6 / count)
    assert abs(stats.kurtosis(numbers)) < 5 * np.sqrt(24 / count)
    assert stats.kstest(numbers, "norm").pvalue > 1e-3
    # The tails: 0.27 % beyond 3, and as many on either side.
    for side in (numbers > 3, numbers < -3):
        expected = count * stats.norm.sf(3)
        assert abs(side.sum() - expected) < 5 * np.sqrt(expected)


def correlation(first, second):
    return abs(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_samples_seeds_and_neighbours_are_independent():
    shape = (100, 100, 3)
    limit = 5 / np.sqrt(np.prod(shape) / 2)
    samples = draw(shape, 3, [0, 1, 2, 100])
    drawn = [*samples, draw(shape, 4)[0], draw(shape, 0, [3])[0], draw(shape, 1)[0]]
    for number, first in enumerate(drawn):
        for second in drawn[:number]:
            assert correlation(first, second) < limit
            assert correlation(first**2, second**2) < limit
    flat = samples[0].ravel()
    half = len(flat) // 2
    for first, second in (
        (flat[:-1], flat[1:]),
        (flat[:half], flat[half:]),  # cosine and sine of one pair
        (samples[0][1:], samples[0][:-1]),
        (samples[0][..., 0], samples[0][..., 1]),
    ):
        assert correlation(first, second) < limit
        assert correlation(np.abs(first), np.abs(second)) < limit


def test_swapping_seed_and_sample_gives_other_noise():
    assert correlation(draw((50, 50), 1, [2]), draw((50, 50), 2, [1])) < 0.1


def test_set_by_seed_and_sample_alone():
    whole = draw((5, 4, 3), 9, [0, 1, 2, 3, 4])
    for order in ([4, 0], [2], [3, 3, 1]):
        part = draw((5, 4, 3), 9, order)
        np.testing.assert_array_equal(part, whole[order])
    again = draw((5, 4, 3), 9, [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(again, whole)


def test_the_generators_of_numpy_and_tensorflow_have_no_say():
    before = draw((6, 6), 2)
    tf.random.set_seed(99)
    np.random.seed(99)
    tf.random.normal([10])
    np.testing.assert_array_equal(draw((6, 6), 2), before)
