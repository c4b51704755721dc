"""The unbiased risk: against matrices, its expectation, and what it chooses."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import partition_risk as reference
from tf_superpixel_saliency.metrics import partition_risk, prediction_score
from tf_superpixel_saliency.ops import partition_risk as in_graph

SIDE = 8
HALVES = np.repeat([0, 1], 32).reshape(SIDE, SIDE)
SQUARES = (np.arange(SIDE)[:, None] // 2) * 4 + np.arange(SIDE)[None] // 2
ONE = np.zeros((SIDE, SIDE), int)
PARTITIONS = {"pixels": None, "squares": SQUARES, "halves": HALVES, "one": ONE}


def pairs(signal, noise, count, seed=0):
    """Maps of two networks that share a signal, (count, 8, 8, C) each."""
    random = np.random.default_rng(seed)
    shape = (2, count, *signal.shape)
    return signal + noise * random.standard_normal(shape)


@pytest.mark.parametrize("name", PARTITIONS)
def test_equals_the_matrices(name):
    a, b = pairs(np.ones((SIDE, SIDE, 3)), 1.0, 3)
    found = partition_risk(a, b, PARTITIONS[name])
    expected = [reference.risk(*pair, PARTITIONS[name]) for pair in zip(a, b)]
    bias, variance = np.transpose(expected)
    np.testing.assert_allclose(found.bias, bias, atol=1e-10)
    np.testing.assert_allclose(found.variance, variance, atol=1e-10)
    np.testing.assert_allclose(found.risk, bias + variance, atol=1e-10)
    for i, (one, other) in enumerate(zip(a, b)):
        signal = np.sum(one * other)
        kept = signal - bias[i]
        expected = reference.shrunk(signal, kept, variance[i])
        assert found.shrunk[i] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", PARTITIONS)
def test_is_the_expected_squared_distance_from_the_signal(name):
    # Signal 3 in the left half of the upper half, noise 2: solved by hand.
    signal = np.zeros((SIDE, SIDE, 1))
    signal[:4, :4] = 3.0
    # ‖κs‖² of ‖s‖² = 16·9: of mean 3/2 in 32 pixels, of mean 3/4 in 64.
    kept = {"pixels": 144.0, "squares": 144.0, "halves": 72.0, "one": 36.0}[name]
    groups = {"pixels": 64, "squares": 16, "halves": 2, "one": 1}[name]
    a, b = pairs(signal, 2.0, 4000, seed=1)
    found = partition_risk(a, b, PARTITIONS[name])
    for values, expected in (
        (found.bias, 144.0 - kept),
        (found.variance, 4.0 * groups),
        (found.risk, 144.0 - kept + 4.0 * groups),
    ):
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - expected) <= 4 * error + 1e-9


def test_shrunk_is_least_where_the_prediction_score_is_highest():
    # Noise far above the signal: the risk itself would take one group, near to zero.
    random = np.random.default_rng(4)
    signal = random.standard_normal(16)[SQUARES][..., None]
    signal = signal - signal.mean()
    a, b = pairs(signal, 3.0, 400, seed=5)
    risks = {k: partition_risk(a, b, v) for k, v in PARTITIONS.items()}
    least = {k: found.risk.mean() for k, found in risks.items()}
    assert min(least, key=least.get) == "one"
    least = {k: found.shrunk.mean() for k, found in risks.items()}
    scores = {
        k: prediction_score(a, np.broadcast_to(signal, a.shape), v).mean()
        for k, v in PARTITIONS.items()
    }
    assert min(least, key=least.get) == max(scores, key=scores.get) == "squares"


def test_the_mean_of_two_maps_has_half_the_variance():
    a, b = pairs(np.zeros((SIDE, SIDE, 1)), 1.0, 3)
    one, two = (partition_risk(a, b, SQUARES, num_averaged=k) for k in (1, 2))
    np.testing.assert_allclose(two.variance, one.variance / 2)
    np.testing.assert_array_equal(two.bias, one.bias)


def test_the_planted_size_has_the_least_risk():
    # A signal that is constant in 2×2 squares: pixels have more noise, halves lose it.
    random = np.random.default_rng(2)
    signal = random.standard_normal(16)[SQUARES][..., None]
    a, b = pairs(signal, 1.0, 40, seed=3)
    risks = {k: partition_risk(a, b, v).risk.mean() for k, v in PARTITIONS.items()}
    assert min(risks, key=risks.get) == "squares"
    # Noise alone: the fewer groups the better. Signal alone: pixels, and none worse.
    a, b = pairs(0 * signal, 1.0, 40)
    risks = [partition_risk(a, b, v).risk.mean() for v in PARTITIONS.values()]
    assert risks == sorted(risks, reverse=True)
    clean = random.standard_normal((1, SIDE, SIDE, 1))
    risks = [partition_risk(clean, clean, v).risk[0] for v in PARTITIONS.values()]
    assert risks[0] == 0 and min(risks[1:]) > 1


def test_what_is_not_finite_and_what_does_not_fit():
    a, b = pairs(np.zeros((SIDE, SIDE, 1)), 1.0, 2)
    a[1, 0, 0, 0] = np.nan
    found = partition_risk(a, b, ONE)
    assert np.isfinite(found.risk[0]) and np.isnan(found).all(axis=0)[1]
    with pytest.raises(ValueError, match="one shape"):
        partition_risk(a, b[:1])
    with pytest.raises(ValueError, match="num_averaged must be at least 1"):
        partition_risk(a, b, num_averaged=0)


def test_the_graph_equals_numpy_and_chooses_the_least(xla):
    signal = np.random.default_rng(2).standard_normal(16)[SQUARES][..., None]
    a, b = pairs(signal, 0.7, 3)
    a[2], b[2] = 5 * a[2], 5 * a[2]  # no noise: pixels
    layers = [HALVES, SQUARES]
    segments = np.broadcast_to(np.stack(layers), (3, 2, SIDE, SIDE))

    @tf.function(jit_compile=xla)
    def run(first, second, segments):
        risks = in_graph.partition_risks(first, second, segments, 0.25)
        return risks, *in_graph.choose_partition(segments, risks)

    risks, found, chosen = run(
        tf.constant(a, tf.float32),
        tf.constant(b, tf.float32),
        tf.constant(segments, tf.int32),
    )
    expected = [partition_risk(a, b, one, 2).shrunk for one in (*layers, None)]
    np.testing.assert_allclose(risks, np.transpose(expected), rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(chosen, np.argmin(expected, axis=0))
    pixels = np.arange(SIDE**2).reshape(SIDE, SIDE)
    for one, number in zip(found.numpy(), chosen.numpy()):
        np.testing.assert_array_equal(one, (*layers, pixels)[number])
