"""Sparsification against a sort, on ties, zeros and extreme numbers."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import sparsify as reference
from tf_superpixel_saliency.ops import sparsify as ops


def kth_largest(values, k, xla):
    function = tf.function(ops.kth_largest, jit_compile=xla)
    return function(tf.constant(values, tf.float32), tf.constant(k)).numpy()


def sparsify(gradients, *fractions, xla=False):
    function = tf.function(lambda g: ops.sparsify(g, *fractions), jit_compile=xla)
    kept, share = function(tf.constant(gradients, tf.float32))
    return kept.numpy(), share.numpy()


def sorted_kth(values, k):
    return np.sort(values, axis=1)[:, -k]


ROWS = {
    "random": np.random.default_rng(0).exponential(size=(3, 101)),
    "ties": np.random.default_rng(1).integers(0, 4, (3, 40)),
    "zeros": np.zeros((2, 10)),
    "one": [[3.0], [0.0]],
    "extreme": [[3.4e38, 1.2e-38, 1.0, 0.0, 1e-30], [np.inf, 1.0, np.inf, 0.0, 2.0]],
    "neighbours": [[1.0, np.nextafter(np.float32(1), np.float32(2)), 1.0, 0.5]],
    "many scales": 10.0 ** np.random.default_rng(2).uniform(-37, 38, (2, 300)),
}


@pytest.mark.parametrize("name", ROWS)
def test_kth_largest_equals_a_sort(xla, name):
    values = np.asarray(ROWS[name], np.float32)
    function = tf.function(ops.kth_largest, jit_compile=xla)
    for k in sorted({1, 2, 3, values.shape[1] // 2, values.shape[1]}):
        if not 1 <= k <= values.shape[1]:
            continue
        found = function(tf.constant(values), tf.constant(k)).numpy()
        np.testing.assert_array_equal(found, sorted_kth(values, k))


def test_kth_largest_tells_subnormal_numbers_apart(xla):
    bits = np.array([[1, 5, 3, 0, 8388607]], np.int32)  # all below 1.18e-38
    for k, expected in enumerate([8388607, 5, 3, 1, 0], start=1):
        found = kth_largest(bits.view(np.float32), k, xla)
        assert found.view(np.int32).tolist() == [expected]


GRADIENTS = np.random.default_rng(4).normal(size=(3, 9, 7, 3)).astype(np.float32)
TIED = np.random.default_rng(5).integers(-3, 4, (4, 6, 5, 2)).astype(np.float32)


@pytest.mark.cases(2)
@pytest.mark.parametrize("gradients", [GRADIENTS, TIED], ids=["distinct", "tied"])
@pytest.mark.parametrize(
    "fractions", [(0.1,), (1.0,), (1e-9,), (0.5, 0.05), (0.3, 0.3), (1.0, 1e-9)]
)
def test_equals_the_twin(xla, gradients, fractions):
    kept, share = sparsify(gradients, *fractions, xla=xla)
    expected, expected_share = reference.sparsify(gradients, *fractions)
    np.testing.assert_allclose(kept, expected, rtol=1e-6, atol=0)
    np.testing.assert_allclose(share, expected_share, rtol=1e-6)


@pytest.mark.parametrize("fraction", [0.07, 0.1, 0.14, 0.28, 0.29, 0.55, 0.56, 0.57])
def test_the_rank_is_that_of_the_decimal_number(fraction):
    gradients = np.arange(1, 101, dtype=np.float32).reshape(1, 10, 10, 1)
    _, share = sparsify(gradients, fraction)
    assert round(float(share[0]) * 100) == round(fraction * 100)


def test_by_hand():
    gradients = np.array([[[[-4.0], [1.0], [2.0], [0.0], [-2.0], [8.0]]]])
    kept, share = sparsify(gradients, 0.5)
    # The third largest is 2, which is there twice.
    assert kept.ravel().tolist() == [1, 0, 1, 0, 1, 1]
    np.testing.assert_allclose(share, 4 / 6, rtol=1e-6)
    relaxed, _ = sparsify(gradients, 0.5, 2 / 6)  # saturates at the second, 4
    assert relaxed.ravel().tolist() == [1, 0, 0.5, 0, 0.5, 1]


def test_zeros_are_never_kept(xla):
    gradients = np.zeros((2, 4, 4, 1), np.float32)
    gradients[1, 0, 0] = -3
    for fractions in ((1.0,), (0.5,), (1.0, 0.5)):
        kept, share = sparsify(gradients, *fractions, xla=xla)
        assert not kept[0].any()
        assert kept[1].sum() == 1
        np.testing.assert_allclose(share, [0, 1 / 16])


def test_ties_at_the_threshold_are_kept_whole(xla):
    kept, share = sparsify(np.full((1, 5, 5, 3), -0.25), 0.01, xla=xla)
    assert (kept == 1).all()
    assert share.tolist() == [1.0]


def test_signs_and_scales_do_not_matter(xla):
    once, _ = sparsify(GRADIENTS, 0.2, xla=xla)
    for other in (-GRADIENTS, GRADIENTS * 2.0**-60, GRADIENTS * 2.0**60):
        np.testing.assert_array_equal(sparsify(other, 0.2, xla=xla)[0], once)


def test_images_of_a_batch_are_apart():
    together, _ = sparsify(GRADIENTS * [[[[1]]], [[[100]]], [[[0.01]]]], 0.1)
    for number in range(3):
        alone, _ = sparsify(GRADIENTS[number : number + 1], 0.1)
        np.testing.assert_array_equal(together[number], alone[0])


def test_any_sizes_in_one_graph():
    function = tf.function(
        lambda g: ops.sparsify(g, 0.25, 0.1),
        input_signature=[tf.TensorSpec([None] * 4, tf.float32)],
    )
    for gradients in (GRADIENTS, TIED, GRADIENTS[:1, :1]):
        expected, _ = reference.sparsify(gradients, 0.25, 0.1)
        found, _ = function(gradients)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
