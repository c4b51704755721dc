import numpy as np
import pytest
import tensorflow as tf

from tests.reference import lime as reference
from tf_superpixel_saliency.ops.regression import dual_ridge


def fit(z, y, weights, alpha, xla=False):
    z = np.float64(z)
    function = tf.function(
        lambda *arguments: dual_ridge(*arguments, alpha), jit_compile=xla
    )
    factors, r_squared = function(*(tf.constant(v) for v in (z @ z.T, y, weights)))
    return z.T @ factors.numpy(), r_squared.numpy()


@pytest.mark.cases(2)
@pytest.mark.parametrize("features", [1, 5, 29, 30, 80])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
def test_it_equals_the_normal_equations(features, alpha, xla):
    rng = np.random.default_rng(features)
    z, y = rng.integers(0, 2, (30, features)), 5 + rng.standard_normal(30)
    weights = rng.uniform(0.1, 1, 30)
    expected, expected_r_squared = reference.ridge(np.float64(z), y, weights, alpha)
    found, r_squared = fit(z, y, weights, alpha, xla)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(r_squared, expected_r_squared, rtol=1e-8)


def test_a_case_solved_by_hand():
    # Two rows, z = 0 and 1, y = 1 and 3, equal weights: centred z = ∓½ and y = ∓1, so
    # that β = (½ + ½) / (½ + α), and the residuals are 1 − β/2.
    found, r_squared = fit([[0], [1]], [1.0, 3.0], [1.0, 1.0], 0.5)
    np.testing.assert_allclose(found, [1.0], rtol=1e-12)
    np.testing.assert_allclose(r_squared, 1 - 0.25, rtol=1e-12)


def test_rows_of_no_weight_do_not_count():
    z = [[0, 1], [1, 0], [1, 1], [0, 0]]
    one, _ = fit(z, [1.0, 2.0, 4.0, 1e6], [1.0, 0.5, 1.0, 0.0], 0.1)
    other, _ = fit(z[:3], [1.0, 2.0, 4.0], [1.0, 0.5, 1.0], 0.1)
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_equal_values_have_no_coefficients_at_all():
    z = np.random.default_rng(0).integers(0, 2, (10, 4))
    found, r_squared = fit(z, np.full(10, 0.1), np.linspace(0.2, 1, 10), 1.0)
    assert not found.any()
    assert r_squared == 0


def test_a_function_that_is_linear_is_found():
    rng = np.random.default_rng(1)
    z, beta = rng.integers(0, 2, (60, 7)), rng.standard_normal(7)
    found, r_squared = fit(z, z @ beta - 2, rng.uniform(0.2, 1, 60), 1e-8)
    np.testing.assert_allclose(found, beta, atol=1e-7)
    np.testing.assert_allclose(r_squared, 1, atol=1e-12)
