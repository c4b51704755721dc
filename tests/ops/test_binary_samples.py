import numpy as np
import pytest
import tensorflow as tf

from tests.reference import lime as reference
from tf_superpixel_saliency.ops import binary_samples

SAMPLES = 40


def states(num_groups, num_samples=SAMPLES, seed=3):
    words = binary_samples.binary_samples(num_samples, tf.constant(num_groups), seed)
    return binary_samples.unpack(words).numpy()


@pytest.mark.parametrize("num_groups", [1, 31, 33, 512, 700])
def test_states_equal_the_twin_and_fill_whole_blocks(num_groups):
    found = states(num_groups)
    expected = reference.states(SAMPLES, num_groups, 3)
    np.testing.assert_array_equal(found[:, :num_groups], expected)
    assert found.shape[1] % binary_samples.BLOCK == 0
    assert 0 <= found.shape[1] - num_groups < binary_samples.BLOCK


def test_more_samples_and_more_groups_go_on_from_fewer():
    few, many = states(100, 10), states(2000, 20)
    np.testing.assert_array_equal(few, many[:10, : few.shape[1]])


def test_half_are_on_independently_and_the_first_sample_is_whole():
    found = states(1024, 500)
    assert found[0].all()
    rest = found[1:]
    assert abs(rest.mean() - 0.5) < 0.005
    # Means of 1024 and of 499 coins: within 5 standard deviations each.
    assert np.abs(rest.mean(axis=1) - 0.5).max() < 5 * 0.5 / np.sqrt(1024)
    assert np.abs(rest.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(499)
    correlation = np.corrcoef(rest[:, :64].T) - np.eye(64)
    assert np.abs(correlation).max() < 5 / np.sqrt(499)


def test_another_seed_is_other_states():
    assert 0.4 < (states(1024)[1:] != states(1024, seed=4)[1:]).mean() < 0.6


def in_graph(function, xla):
    return tf.function(function, jit_compile=xla, autograph=False)


def test_states_are_the_same_compiled(xla):
    words = binary_samples.binary_samples(SAMPLES, tf.constant(100), 3)
    compiled = in_graph(lambda: binary_samples.binary_samples(SAMPLES, 100, 3), xla)()
    np.testing.assert_array_equal(compiled, words)


@pytest.mark.cases(2)
@pytest.mark.parametrize("num_groups", [1, 37, 512, 513, 1100])
def test_products_use_the_first_groups_alone(num_groups, xla):
    words = binary_samples.binary_samples(SAMPLES, tf.constant(1500), 3)
    z = states(1500)[:, :num_groups].astype(np.float64)
    factors = np.random.default_rng(0).standard_normal(SAMPLES)
    gram = in_graph(lambda p: binary_samples.gram(words, p), xla)
    combine = in_graph(lambda p: binary_samples.combine(factors, words, p), xla)
    np.testing.assert_array_equal(gram(tf.constant(num_groups)), z @ z.T)
    found = combine(tf.constant(num_groups)).numpy()
    np.testing.assert_allclose(found[:num_groups], z.T @ factors, atol=1e-12)
    assert not found[num_groups:].any()
