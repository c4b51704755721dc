"""Where the nodes go: against a greedy search, by hand, and on Brownian motion."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.ops import adaptive_quadrature as rule
from tf_superpixel_saliency.ops.adaptive_quadrature import Mesh


def mesh(nodes, parts):
    return Mesh(tf.constant(nodes, tf.float32), tf.constant(parts, tf.int32))


def best_parts(errors, extra, xla=False):
    function = tf.function(lambda e: rule.best_parts(e, extra), jit_compile=xla)
    return function(tf.constant(errors, tf.float32)).numpy()


def left_over(errors, parts):
    return (np.array(errors) / np.square(parts)).sum()


@pytest.mark.parametrize("extra", [0, 1, 5, 12])
def test_no_other_parts_leave_a_smaller_error(xla, extra):
    errors = np.array([4.0, 1.0, 0.01, 9.0])
    parts = best_parts(errors, extra, xla)
    assert (parts >= 1).all() and (parts - 1).sum() == extra
    least = min(
        left_over(errors, np.add(more, 1))
        for more in itertools.product(range(extra + 1), repeat=4)
        if sum(more) == extra
    )
    np.testing.assert_allclose(left_over(errors, parts), least, rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, np.nan, np.inf])
def test_without_usable_errors_the_parts_are_nearly_even(level):
    parts = best_parts([level] * 4, 8)
    assert (parts - 1).sum() == 8 and parts.max() <= 3


def test_an_interval_whose_ends_agree_is_not_forgotten():
    parts = best_parts([1.0, 0.0], 200)
    # A floor of 1/2000: n ∝ error^⅓ gives it one in 13.6.
    assert parts[1] == pytest.approx(202 / (1 + 2000 ** (1 / 3)), abs=1)


def test_parts_for_an_error_reach_it_and_no_more_than_that():
    errors = np.array([4.0, 1.0, 0.5, 9.0])
    for wanted in (20.0, 3.0, 0.1, 0.001):
        found = rule.parts_for(tf.constant(errors, tf.float32), wanted, 10_000).numpy()
        assert left_over(errors, found) <= wanted * (1 + 1e-5)
        fewer = best_parts(errors, max(0, (found - 1).sum() - 4))
        assert left_over(errors, fewer) > wanted or fewer.max() == 1


@pytest.mark.parametrize("wanted", [0.0, 1e-12, np.nan])
def test_what_is_out_of_reach_takes_all_nodes(wanted):
    found = rule.parts_for(tf.constant([4.0, 1.0]), tf.constant(wanted), 6).numpy()
    assert found.tolist() == best_parts([4.0, 1.0], 6).tolist()


def test_nodes_by_hand(xla):
    def both(numbers):
        m = mesh([0, 0.4, 0.5, 1], [2, 1, 3])
        return rule.inner_nodes(m, numbers[:3]), rule.part_centres(m, numbers)

    inner, centres = tf.function(both, jit_compile=xla)(tf.range(6))
    np.testing.assert_allclose(inner.positions, [0.2, 2 / 3, 5 / 6], rtol=1e-6)
    np.testing.assert_allclose(inner.weights, [0.2, 1 / 6, 1 / 6], rtol=1e-6)
    assert inner.intervals.numpy().tolist() == [0, 2, 2]
    assert inner.is_first.numpy().tolist() == [True, True, False]
    assert inner.is_last.numpy().tolist() == [True, False, True]
    expected = [0.1, 0.3, 0.45, 7 / 12, 9 / 12, 11 / 12]
    np.testing.assert_allclose(centres.positions, expected, rtol=1e-6)
    assert centres.intervals.numpy().tolist() == [0, 0, 1, 2, 2, 2]


@pytest.mark.parametrize("parts", [[1, 1, 1], [3, 1, 2], [5, 4, 9]])
def test_weights_are_the_trapezoids(parts):
    m = mesh([0, 0.4, 0.5, 1], parts)
    inner = rule.inner_nodes(m, tf.range(sum(parts) - 3))
    nodes = np.concatenate([m.nodes, inner.positions])
    weights = np.concatenate([rule.end_weights(m), inner.weights])
    order = np.argsort(nodes)
    steps = np.diff(nodes[order])
    expected = (np.append(steps, 0) + np.append(0, steps)) / 2
    np.testing.assert_allclose(weights[order], expected, atol=1e-7)
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-6)


def test_the_error_told_is_the_error_made_on_brownian_motion():
    # 400 independent motions with a tenth of the path eight times as lively.
    rng = np.random.default_rng(3)
    fine = 4096
    scale = np.where(np.arange(fine) < fine // 10, 8.0, 1.0) / np.sqrt(fine)
    steps = rng.standard_normal((fine, 400)) * scale[:, None]
    motion = np.concatenate([np.zeros((1, 400)), steps.cumsum(0)])
    exact = (motion[1:] + motion[:-1]).mean(0) / 2
    nodes = np.linspace(0, fine, 33).astype(int)
    values = motion[nodes]
    maps = tf.constant(values.reshape(33, 20, 20, 1), tf.float32)
    none = tf.zeros([33])
    told = rule.squared_errors(
        tf.constant(np.diff(nodes) / fine, tf.float32),
        rule.Values(maps[:-1], none[1:], none[1:]),
        rule.Values(maps[1:], none[1:], none[1:]),
        0.0,
    )
    weights = np.diff(nodes)[:, None] / fine
    trapezoid = (weights * (values[1:] + values[:-1]) / 2).sum(0)
    made = np.square(trapezoid - exact).sum()
    np.testing.assert_allclose(np.sum(told), made, rtol=0.15)


def test_errors_by_hand():
    """Two intervals of 1/2, two values a map; the second hides a peak."""
    maps = tf.reshape(tf.constant([[3.0, 0.0], [1.0, 2.0], [1.0, 2.0]]), [3, 1, 2, 1])
    known = rule.Values(maps, tf.constant([3.0, 3.0, 3.0]), tf.constant([0.0, 1.5, 4]))
    left, right = (rule.Values(*(v[s] for v in known)) for s in (np.s_[:2], np.s_[1:]))
    per_score = rule.map_per_score(known)
    np.testing.assert_allclose(per_score, (9 + 5 + 5) / 27, rtol=1e-6)
    found = rule.squared_errors(tf.constant([0.5, 0.5]), left, right, per_score)
    # The score rises by 1.5, all of it seen, and then by 2.5, of which 1.5 is seen.
    np.testing.assert_allclose(found, [8 / 48, 19 / 27], rtol=1e-6)
    blind = rule.squared_errors(tf.constant([0.5, 0.5]), left, right, 0.0)
    np.testing.assert_allclose(blind, [8 / 48, 0], atol=1e-7)


def test_without_sums_nothing_is_known_of_maps_per_score():
    maps = tf.ones([4, 2, 2, 1])
    assert rule.map_per_score(rule.Values(maps, tf.zeros([4]), tf.ones([4]))) == 0
