from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import stats
from skimage import metrics as skimage_metrics

from tests.reference import stability as twin
from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.ops import reductions

SIGNED_COSINE = metrics.cosine_similarity
COSINE = functools.partial(metrics.cosine_similarity, signed=False)
RANK = metrics.rank_correlation
SIGNED_RANK = functools.partial(metrics.rank_correlation, signed=True)
DISTANCE = metrics.l2_distance
UNIT_DISTANCE = functools.partial(metrics.l2_distance, normalized=True)
SSIM = metrics.structural_similarity
GAUSSIAN = functools.partial(metrics.structural_similarity, window="gaussian")
SIMILARITIES = [SSIM, GAUSSIAN, SIGNED_COSINE, COSINE, RANK, SIGNED_RANK]
ALL = SIMILARITIES + [DISTANCE, UNIT_DISTANCE]


@pytest.fixture
def pair():
    """Correlated maps of three images, two of the values of them tied."""
    random = np.random.default_rng(5)
    a = random.standard_normal((3, 13, 12, 2)).astype(np.float32)
    b = (a + random.standard_normal(a.shape)).astype(np.float32)
    a[:, 3:6, 2:7], b[:, 1:4, 5:9] = 0.25, -0.5
    return a, b


@pytest.mark.parametrize("percentile", [99.0, 80, 100, None])
@pytest.mark.parametrize("window", ["uniform", "gaussian"])
def test_ssim_equals_the_twin_and_scikit_image(pair, percentile, window):
    found = SSIM(*pair, percentile=percentile, window=window)
    gaussian, q = window == "gaussian", percentile or 100
    expected = [twin.ssim(a, b, q, gaussian) for a, b in zip(*pair)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    heatmaps = [
        reductions.scale_to_unit(
            reductions.clip_at_percentile(np.abs(maps).astype(float).sum(-1), q)
        )
        for maps in pair
    ]
    convention = (
        {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        if gaussian
        else {}
    )
    expected = [
        skimage_metrics.structural_similarity(a, b, data_range=1.0, **convention)
        for a, b in zip(*heatmaps)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("signed", [False, True])
def test_cosine_and_ranks_equal_the_twins_and_scipy(pair, signed):
    flat = [[twin.flat(m, signed) for m in maps] for maps in pair]
    found = metrics.cosine_similarity(*pair, signed=signed)
    expected = [twin.cosine(a, b) for a, b in zip(*flat)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    found = metrics.rank_correlation(*pair, signed=signed)
    expected = [twin.spearman(a, b) for a, b in zip(*flat)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(*flat)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("normalized", [False, True])
def test_distance_equals_the_twin(pair, normalized):
    found = metrics.l2_distance(*pair, normalized=normalized)
    flat = [[twin.flat(m, True) for m in maps] for maps in pair]
    expected = [twin.distance(a, b, normalized) for a, b in zip(*flat)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_cases_by_hand():
    a, b = np.zeros((2, 1, 1, 4, 1))
    a[0, 0, :, 0], b[0, 0, :, 0] = [3, 4, 0, 0], [3, 0, 0, -4]
    assert metrics.cosine_similarity(a, b) == pytest.approx(9 / 25)
    assert metrics.l2_distance(a, b) == pytest.approx(32**0.5)
    assert metrics.l2_distance(a, b, normalized=True) == pytest.approx(32**0.5 / 5)
    # Ranks of |a|: 3, 4, 1.5, 1.5 and of |b|: 3, 1.5, 1.5, 4, of mean 2.5.
    expected = (0.25 - 1.5 + 1 - 1.5) / (0.25 + 2.25 + 1 + 1)
    assert metrics.rank_correlation(a, b) == pytest.approx(expected)
    # Signed: 3, 4, 1.5, 1.5 and 4, 2.5, 2.5, 1.
    expected = (0.75 + 0 + 0 + 1.5) / (4.5 * 4.5) ** 0.5
    assert metrics.rank_correlation(a, b, signed=True) == pytest.approx(expected)


@pytest.mark.parametrize("measure", SIMILARITIES)
def test_equal_maps_have_a_similarity_of_one(pair, measure):
    np.testing.assert_allclose(measure(pair[0], pair[0]), 1, rtol=1e-14)


@pytest.mark.parametrize("measure", [DISTANCE, UNIT_DISTANCE])
def test_equal_maps_have_a_distance_of_zero(pair, measure):
    np.testing.assert_array_equal(measure(pair[0], pair[0]), 0)


def test_opposite_maps_are_at_the_other_extreme(pair):
    a = pair[0]
    for measure in (SIGNED_COSINE, SIGNED_RANK):
        np.testing.assert_allclose(measure(a, -a), -1, rtol=1e-14)
    np.testing.assert_allclose(UNIT_DISTANCE(a, -a), 2, rtol=1e-14)
    for measure in (SSIM, GAUSSIAN, COSINE, RANK):  # they see heatmaps alone
        np.testing.assert_allclose(measure(a, -a), 1, rtol=1e-14)
    heat = np.abs(a).sum(-1)
    np.testing.assert_allclose(RANK(heat, heat.max() - heat), -1, rtol=1e-14)
    checkers = np.indices((1, 12, 12)).sum(0) % 2
    assert SSIM(checkers, 1 - checkers, percentile=None) < -0.9


@pytest.mark.parametrize("measure", ALL)
def test_each_pair_stands_alone_and_order_does_not_matter(pair, measure):
    a, b = pair
    found = measure(a, b)
    alone = [measure(a[i : i + 1], b[i : i + 1])[0] for i in range(3)]
    np.testing.assert_array_equal(found, alone)
    np.testing.assert_allclose(measure(b, a), found, rtol=1e-14)
    assert found.dtype == np.float64 and len(set(found)) == 3


@pytest.mark.parametrize("measure", ALL)
def test_one_map_against_many_is_a_map_repeated(pair, measure):
    a, b = pair
    one = np.broadcast_to(a[1], b.shape)
    np.testing.assert_array_equal(measure(one, b), measure(one.copy(), b))
    np.testing.assert_array_equal(measure(b, one), measure(b, one.copy()))


@pytest.mark.parametrize("measure", SIMILARITIES + [UNIT_DISTANCE])
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_scale_of_either_map_does_not_matter(pair, measure, scale):
    a, b = pair
    scaled = a.astype(np.float64) * scale
    np.testing.assert_allclose(measure(scaled, b), measure(a, b), rtol=1e-9)


@pytest.mark.parametrize("measure", ALL)
def test_undefined_pairs_are_nan_and_leave_the_others_alone(pair, measure):
    a, b = (np.repeat(maps, 2, axis=0) for maps in pair)
    expected = measure(a, b)
    a[1], b[2] = 0, 0
    a[3, 0, 0, 0], b[4, 2, 2, 1] = np.nan, np.inf
    found = measure(a, b)
    undefined = [3, 4] if measure is DISTANCE else [1, 2, 3, 4]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found)), undefined)
    np.testing.assert_array_equal(found[[0, 5]], expected[[0, 5]])


def test_a_constant_map_has_no_ranks_and_no_structure(pair):
    constant = np.full_like(pair[0], 0.3)
    for measure in (SSIM, GAUSSIAN, RANK, SIGNED_RANK):
        assert np.isnan(measure(constant, pair[1])).all()
    # Its heatmap is one value, its signs are not.
    constant[..., 1] *= -1
    assert np.isnan(RANK(constant, pair[1])).all()
    assert np.isfinite(SIGNED_RANK(constant, pair[1])).all()


def test_a_map_of_fewer_pixels_than_are_clipped_has_no_structure():
    sparse = np.zeros((1, 20, 20))
    sparse[0, 3, 4] = 1
    assert np.isnan(SSIM(sparse, sparse))
    assert SSIM(sparse, sparse, percentile=None) == 1


@pytest.mark.parametrize("measure", ALL)
def test_heatmaps_are_maps_of_one_channel_and_types_do_not_matter(pair, measure):
    a, b = (np.round(maps[..., 0] * 8) for maps in pair)
    found = measure(a, b)
    np.testing.assert_array_equal(measure(a[..., None], b[..., None]), found)
    as_integers = measure(a.astype(np.int8), b.astype(np.int8).tolist())
    np.testing.assert_array_equal(as_integers, found)


def test_unscaled_windows_are_what_the_scaling_avoids():
    # Small unscaled maps of pure noise would be called nearly equal.
    random = np.random.default_rng(0)
    a, b = np.abs(random.standard_normal((2, 1, 32, 32))) * 1e-3
    naive = skimage_metrics.structural_similarity(a[0], b[0], data_range=1.0)
    assert naive > 0.99 and abs(SSIM(a, b)[0]) < 0.1


def test_inputs_are_left_as_they_came(pair):
    before = [maps.copy() for maps in pair]
    for maps in pair:
        maps.flags.writeable = False
    for measure in ALL:
        measure(*pair)
    np.testing.assert_array_equal(pair, before)


@pytest.mark.parametrize("measure", ALL)
def test_bad_maps_are_refused(measure):
    maps = np.zeros((2, 12, 12, 3))
    with pytest.raises(ValueError, match=r"one shape.*\(1, 12, 12, 3\).*broadcast_to"):
        measure(maps, maps[:1])
    with pytest.raises(ValueError, match=r"maps_a .*\(12, 12\).*maps\[None\]"):
        measure(maps[0, ..., 0], maps)
    with pytest.raises(ValueError, match=r"maps_b .*<U1"):
        measure(maps, np.full(maps.shape, "a"))
    with pytest.raises(ValueError, match="at least one pixel"):
        measure(maps[..., :0], maps[..., :0])


def test_bad_arguments_of_ssim_are_refused():
    maps = np.zeros((1, 6, 10))
    with pytest.raises(ValueError, match="at least 7×7 pixels, but got 6×10"):
        SSIM(maps, maps)
    with pytest.raises(ValueError, match="at least 11×11"):
        GAUSSIAN(maps, maps)
    with pytest.raises(ValueError, match="percentile"):
        SSIM(maps, maps, percentile=0)
    with pytest.raises(ValueError, match="window must be one of"):
        SSIM(maps, maps, window="box")
