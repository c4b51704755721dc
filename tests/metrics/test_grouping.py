from __future__ import annotations

import numpy as np
import pytest

from tests.reference import stability as twin
from tf_superpixel_saliency.metrics.grouping import group_mean


def test_a_case_by_hand():
    values = np.array([[1.0, 10.0], [3.0, 0.0], [5.0, -4.0]])
    means = group_mean(values, np.array([1, 0, 1]))
    np.testing.assert_array_equal(means, [[3, 0], [3, 3]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_equal_the_twin(dtype):
    random = np.random.default_rng(1)
    values = random.standard_normal((6, 7, 3)).astype(dtype)
    segments = random.permutation(np.arange(42) % 9).reshape(6, 7)
    means = group_mean(values.reshape(42, 3), segments.ravel())
    assert means.shape == (9, 3) and means.dtype == dtype
    expected = twin.group_mean(values, segments)
    tolerance = {"rtol": 1e-12 if dtype == np.float64 else 1e-6, "atol": 1e-7}
    np.testing.assert_allclose(means[segments], expected, **tolerance)


def test_one_pixel_a_group_is_the_identity_and_sums_are_of_float64():
    random = np.random.default_rng(2)
    values = random.standard_normal((10, 2)).astype(np.float32)
    np.testing.assert_array_equal(group_mean(values, np.arange(10)), values)
    many = np.full((100_000, 1), 0.1, np.float32)
    assert group_mean(many, np.zeros(100_000, int))[0, 0] == np.float32(0.1)
