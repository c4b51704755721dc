"""Section 3.3's independence of noise inside groups."""

from __future__ import annotations

import numpy as np
import pytest

from tests.metrics.partitions import quadtree, squares
from tests.reference import theory as reference
from tf_superpixel_saliency.metrics.independence import independence

RNG = np.random.default_rng(0)
SEGMENTS = np.stack([quadtree(16, RNG) for _ in range(3)])
A, B = RNG.normal(size=(2, 3, 16, 16, 2))


def test_it_equals_the_twin():
    a = A.copy()
    a[0, :4, :4] = B[0, :4, :4]  # groups without noise
    found = independence(a, B, SEGMENTS, sizes=[1, 2, 5, 20])
    undefined = 0
    for i in range(3):
        ratios = reference.ratios(a[i], B[i], SEGMENTS[i])
        undefined += 2 * (SEGMENTS[i].max() + 1) - len(ratios)
        for b, (low, high) in enumerate([(1, 2), (2, 5), (5, 20)]):
            inside = [ratio for size, ratio in ratios if low <= size < high]
            expected = np.mean(inside) if inside else np.nan
            np.testing.assert_allclose(found.per_image[i, b], expected, rtol=1e-10)
    assert found.undefined == undefined > 0
    np.testing.assert_allclose(found.ratio, np.nanmean(found.per_image, axis=0))
    assert found.num_groups.sum() + undefined == 2 * sum(s.max() + 1 for s in SEGMENTS)


def test_one_pixel_is_a_map():
    found = independence(np.ones((1, 1, 1)), np.zeros((1, 1, 1)), [[[0]]], sizes=[1, 2])
    np.testing.assert_allclose(found.ratio, [1.0])


def test_white_noise_gives_one_at_every_size():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 40, 16, 16, 3))
    for side in (2, 4, 8):
        found = independence(a, b, squares(16, side), sizes=[2, 100])
        assert found.low[0] < 1 < found.high[0]
        assert found.high[0] - found.low[0] < 0.4
        assert abs(found.correlation[0]) < 0.05


def test_noise_of_one_value_a_group_gives_the_size():
    segments = squares(16, 4)
    n = RNG.normal(size=(2, segments.max() + 1, 1))[:, segments]
    found = independence(n, 0 * n, segments, sizes=[16, 17])
    np.testing.assert_allclose(found.ratio, [16])
    np.testing.assert_allclose(found.correlation, [1])


def test_noise_that_cancels_gives_zero():
    n = np.where(np.indices((16, 16)).sum(0) % 2, 1.0, -1.0)[None]
    found = independence(n, 0 * n, squares(16, 4))
    np.testing.assert_allclose(found.ratio[~np.isnan(found.ratio)], [0], atol=1e-12)
    # Each value has 15 others with which −1/15 is the least mean correlation.
    np.testing.assert_allclose(np.nanmean(found.correlation), -1 / 15)


def test_correlated_noise_gives_its_correlation():
    """Equicorrelated with ρ = 0.3, some groups with three times the noise."""
    rng = np.random.default_rng(2)
    segments = squares(32, 2)
    shared = rng.normal(size=(200, 256, 1))[:, segments]
    n = np.sqrt(0.3) * shared + np.sqrt(0.7) * rng.normal(size=(200, 32, 32, 1))
    n[:, :8] *= 3
    found = independence(n, 0 * n, segments, sizes=[4, 5])
    assert found.correlation[0] == pytest.approx(0.3, abs=0.01)
    assert found.pooled[0] == pytest.approx(1 + 3 * 0.3, abs=0.03)
    # A group's noise in common is in its own mean square too.
    assert 1.4 < found.ratio[0] < found.pooled[0]


def test_pooled_by_hand():
    """Groups (1, 1) and (3, −1), |S|·mean² = 2 and 2, squares 1 and 5."""
    n = np.array([1.0, 1, 3, -1]).reshape(1, 1, 4, 1)
    found = independence(n, 0 * n, [[0, 0, 1, 1]])
    np.testing.assert_array_equal(found.sizes, [1, 2, 4])
    np.testing.assert_allclose(found.ratio, [np.nan, (2 + 2 / 5) / 2])
    np.testing.assert_allclose(found.pooled, [np.nan, 4 / 6])
    np.testing.assert_allclose(found.correlation, [np.nan, (4 - 6) / 6])
    assert found.num_groups.tolist() == [0, 2]


def test_single_pixels_say_nothing():
    found = independence(A, B, np.arange(256).reshape(16, 16))
    np.testing.assert_array_equal(found.sizes, [1, 2])
    np.testing.assert_allclose(found.ratio, [1])
    assert np.isnan(found.correlation).all()
    assert found.num_groups.tolist() == [3 * 256 * 2]


def test_scale_does_not_matter():
    found = independence(A, B, SEGMENTS)
    tiny = independence(1e-200 * A, 1e-200 * B, SEGMENTS)
    np.testing.assert_allclose(found.per_image, tiny.per_image, rtol=1e-10)
    np.testing.assert_array_equal(found.sizes, [1, 2, 4, 8, 16, 32])


def test_equal_maps_have_no_noise():
    found = independence(A, A, SEGMENTS)
    assert np.isnan(found.ratio).all()
    assert found.num_groups.sum() == 0
    assert found.undefined == 2 * sum(s.max() + 1 for s in SEGMENTS)


@pytest.mark.parametrize("sizes", [[1], [0, 2], [2, 2], [1.0, 2.0], [[1, 2]], [4, 2]])
def test_bad_sizes(sizes):
    with pytest.raises(ValueError, match="increasing integers"):
        independence(A, B, SEGMENTS, sizes=sizes)


def test_maps_that_are_not_finite():
    with pytest.raises(ValueError, match="finite"):
        independence(np.full_like(A, np.inf), B, SEGMENTS)
