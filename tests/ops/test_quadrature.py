"""Rules on [0, 1]: by hand, on polynomials, and the adaptive one against a twin."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import quadrature as reference
from tf_superpixel_saliency.ops import quadrature


def adaptive(scores, num_steps, xla=False, **kwargs):
    function = tf.function(
        lambda s: quadrature.adaptive_rule(s, num_steps, **kwargs), jit_compile=xla
    )
    nodes, weights = function(tf.constant(np.asarray(scores), tf.float32))
    return nodes.numpy(), weights.numpy()


BY_HAND = {
    ("midpoint", 1): ([0.5], [1]),
    ("midpoint", 4): ([0.125, 0.375, 0.625, 0.875], [0.25] * 4),
    ("trapezoid", 2): ([0, 1], [0.5, 0.5]),
    ("trapezoid", 3): ([0, 0.5, 1], [0.25, 0.5, 0.25]),
    ("gauss_legendre", 1): ([0.5], [1]),
    ("gauss_legendre", 2): ([0.5 - 12**-0.5, 0.5 + 12**-0.5], [0.5, 0.5]),
    ("gauss_legendre", 3): (
        [0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5],
        [5 / 18, 8 / 18, 5 / 18],
    ),
}


@pytest.mark.parametrize("name, num_steps", BY_HAND)
def test_fixed_rules_by_hand(name, num_steps):
    found = quadrature.fixed_rule(name, num_steps)
    for values, expected in zip(found, BY_HAND[name, num_steps]):
        np.testing.assert_allclose(values, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("num_steps", [2, 3, 7, 20])
@pytest.mark.parametrize("name", quadrature.FIXED_RULES)
def test_fixed_rules_are_exact_for_the_degrees_that_they_promise(name, num_steps):
    nodes, weights = quadrature.fixed_rule(name, num_steps)
    degree = 2 * num_steps - 1 if name == "gauss_legendre" else 1
    for power in range(degree + 1):
        exact = 1 / (power + 1)
        np.testing.assert_allclose(weights @ nodes**power, exact, rtol=1e-13)
    beyond = 1 / (degree + 2)
    if num_steps < 8:  # and no further
        assert abs(weights @ nodes ** (degree + 1) - beyond) > 1e-12
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-14)
    assert (weights > 0).all()
    assert (np.diff(nodes) > 0).all()


@pytest.mark.parametrize("name, order", [("midpoint", 2), ("trapezoid", 2)])
def test_the_error_falls_with_the_square_of_the_steps(name, order):
    def error(num_steps):
        nodes, weights = quadrature.fixed_rule(name, num_steps)
        return abs(weights @ np.exp(nodes) - (np.e - 1))

    cells = (lambda n: n + 1) if name == "trapezoid" else (lambda n: n)
    ratio = error(cells(10)) / error(cells(20))
    np.testing.assert_allclose(ratio, 2**order, rtol=0.01)


@pytest.mark.parametrize("num_steps", [1, 2, 5, 16, 33])
@pytest.mark.parametrize("points", [2, 3, 17, 42])
def test_adaptive_rule_equals_the_inverse_distribution(xla, points, num_steps):
    rng = np.random.default_rng(points)
    scores = rng.uniform(size=(points, 4)).astype(np.float32)
    scores[:, 1] = np.cumsum(scores[:, 1] ** 8)  # few steep stretches
    scores[:, 2] *= 1e-20
    scores[:, 3] *= 1e20
    for share in (0.05, quadrature.UNIFORM_SHARE, 1.0):
        found = adaptive(scores, num_steps, xla, uniform_share=share)
        expected = reference.adaptive(scores, num_steps, share)
        np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=5e-6)
        np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=1e-5)


def test_weights_are_positive_and_sum_to_one(xla):
    scores = np.random.default_rng(1).normal(size=(17, 50)).cumsum(axis=0)
    nodes, weights = adaptive(scores, 40, xla)
    assert (weights > 0).all()
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=0, atol=1e-6)
    assert (np.diff(nodes, axis=0) > 0).all()
    assert (nodes > 0).all() and (nodes < 1).all()


@pytest.mark.parametrize("level", [0.0, 0.7, np.nan, np.inf])
def test_without_a_usable_change_the_nodes_are_midpoints(xla, level):
    nodes, weights = adaptive(np.full((17, 2), level), 6, xla)
    expected = quadrature.fixed_rule("midpoint", 6)
    for values, wanted in zip((nodes, weights), expected):
        np.testing.assert_allclose(values, np.tile(wanted[:, None], 2), atol=1e-6)


def test_one_nan_spoils_its_own_image_alone(xla):
    scores = np.random.default_rng(2).uniform(size=(17, 3)).astype(np.float32)
    clean = adaptive(scores, 8, xla)
    scores[5, 1] = np.nan
    spoilt = adaptive(scores, 8, xla)
    for before, after in zip(clean, spoilt):
        assert np.isfinite(after).all()
        np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])


def test_nodes_crowd_where_the_score_jumps():
    scores = np.zeros((17, 1))
    scores[9:] = 1.0  # the jump is between 8/16 and 9/16
    nodes, weights = adaptive(scores, 20, uniform_share=0.3)
    inside = (nodes > 8 / 16) & (nodes < 9 / 16)
    # 0.7 + 0.3/16 of the density lies there.
    assert inside.sum() in (14, 15)
    np.testing.assert_allclose(weights[inside], (1 / 16) / (20 * 0.71875), rtol=1e-4)


def test_by_hand_two_cells():
    # Changes 3 and 1, no even share to speak of: cells hold 0.75 and 0.25 of it.
    nodes, weights = adaptive([[0.0], [3.0], [4.0]], 4, uniform_share=1e-6)
    edges = [0, 1 / 6, 1 / 3, 1 / 2, 1]
    np.testing.assert_allclose(weights[:, 0], np.diff(edges), atol=1e-5)
    np.testing.assert_allclose(nodes[:, 0], [1 / 12, 1 / 4, 5 / 12, 3 / 4], atol=1e-5)


def test_the_whole_share_even_gives_midpoints():
    scores = np.random.default_rng(3).uniform(size=(17, 1))
    nodes, _ = adaptive(scores, 10, uniform_share=1.0)
    np.testing.assert_allclose(nodes[:, 0], (np.arange(10) + 0.5) / 10, atol=1e-6)
