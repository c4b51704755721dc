"""Rules on [0, 1]: by hand, and on polynomials."""

import numpy as np
import pytest

from tf_superpixel_saliency.ops import quadrature

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
