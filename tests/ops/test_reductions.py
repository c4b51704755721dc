from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import reductions as twin
from tf_superpixel_saliency.ops import reductions


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_sum_absolute_of_a_case_by_hand():
    maps = np.array([[[[1.0, -2.0, 0.5], [0.0, 0.0, -4.0]]]], np.float32)
    np.testing.assert_array_equal(reductions.sum_absolute(maps), [[[3.5, 4.0]]])


def test_sum_absolute_is_one_under_xla_and_in_a_graph_of_unknown_shape(rng):
    maps = rng.standard_normal((2, 5, 7, 3)).astype(np.float32)
    expected = np.abs(maps.astype(np.float64)).sum(-1)
    spec = [tf.TensorSpec([None, None, None, None], tf.float32)]
    for compiled in (False, True):
        function = tf.function(
            reductions.sum_absolute, input_signature=spec, jit_compile=compiled
        )
        np.testing.assert_allclose(function(maps), expected, rtol=1e-6)


def test_sum_absolute_names_the_missing_axis():
    with pytest.raises(ValueError, match=r"\(N, H, W, C\).*maps\[None\]"):
        reductions.sum_absolute(np.zeros((4, 4, 3)))


@pytest.mark.parametrize("percentile", [0.5, 37, 50.0, 99, 100])
def test_percentile_limit_equals_the_twin(rng, percentile):
    heatmaps = rng.exponential(size=(3, 6, 5))
    found = reductions.percentile_limit(heatmaps, percentile)
    expected = [twin.percentile(h.ravel(), percentile) for h in heatmaps]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("percentile", [60, 99, 100])
def test_clipped_and_scaled_equals_the_twin_for_each_map_of_a_batch(rng, percentile):
    heatmaps = rng.exponential(size=(3, 8, 9)) * [[[1e-6]], [[1.0]], [[1e9]]]
    found = reductions.scale_to_unit(
        reductions.clip_at_percentile(heatmaps, percentile)
    )
    expected = [twin.clipped_unit(h.tolist(), percentile) for h in heatmaps]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.min() == 0 and found.max() == 1


def test_clipping_at_99_cuts_one_outlier_of_a_hundred():
    heatmap = np.arange(100.0).reshape(10, 10)
    heatmap[9, 9] = 1e6
    clipped = reductions.clip_at_percentile(heatmap, 99)
    # Position 98.01 of 0…99: 98 + 0.01·(1e6 − 98).
    assert clipped[9, 9] == pytest.approx(98 + 0.01 * (1e6 - 98))
    np.testing.assert_array_equal(clipped.ravel()[:99], np.arange(99.0))


def test_clipping_at_100_changes_nothing_and_keeps_the_type(rng):
    heatmap = rng.exponential(size=(4, 4)).astype(np.float32)
    clipped = reductions.clip_at_percentile(heatmap, 100)
    assert clipped.dtype == np.float32
    np.testing.assert_array_equal(clipped, heatmap)


@pytest.mark.parametrize("value", [0.0, 3.5, -1e30])
def test_a_constant_map_is_flat_and_not_nan(value):
    heatmaps = np.stack([np.full((4, 5), value), np.arange(20.0).reshape(4, 5)])
    scaled = reductions.scale_to_unit(heatmaps)
    np.testing.assert_array_equal(scaled[0], 0)
    np.testing.assert_allclose(scaled[1].ravel(), np.arange(20) / 19)


def test_scaling_survives_the_ends_of_float32():
    big = np.array([[-3e38, 3e38]], np.float32)
    np.testing.assert_array_equal(reductions.scale_to_unit(big), [[0, 1]])
    small = np.array([[0, 1e-45]], np.float32)
    np.testing.assert_array_equal(reductions.scale_to_unit(small), [[0, 1]])


def test_pixels_that_are_not_finite_do_not_touch_the_others():
    heatmap = np.array([[0.0, 1.0, np.inf], [np.nan, 4.0, -np.inf]])
    expected = [[0, 0.25, np.nan], [np.nan, 1, np.nan]]
    np.testing.assert_array_equal(reductions.scale_to_unit(heatmap), expected)
    assert reductions.percentile_limit(heatmap, 50) == 1.0
    failed = np.full((2, 2), np.nan)
    assert np.isnan(reductions.percentile_limit(failed, 99))
    assert np.isnan(reductions.clip_at_percentile(failed, 99)).all()
    assert np.isnan(reductions.scale_to_unit(failed)).all()


def test_arrays_are_left_as_they_came(rng):
    heatmaps, segments = rng.exponential(size=(2, 6, 6)), rng.integers(0, 5, (6, 6))
    before = heatmaps.copy(), segments.copy()
    for array in (heatmaps, segments):
        array.flags.writeable = False
    reductions.clip_at_percentile(heatmaps, 50)
    reductions.scale_to_unit(heatmaps)
    reductions.top_groups(heatmaps[0], segments, 3)
    np.testing.assert_array_equal(heatmaps, before[0])
    np.testing.assert_array_equal(segments, before[1])


@pytest.mark.parametrize(
    "percentile", [0, -1, 100.5, np.nan, "99", None, np.array([99.0, 1.0])]
)
def test_a_percentile_out_of_range_is_refused(percentile):
    with pytest.raises(ValueError, match=r"percentile .*\(0, 100\].*got"):
        reductions.clip_at_percentile(np.zeros((3, 3)), percentile)


@pytest.mark.parametrize("shape", [(), (4,), (0, 4), (2, 3, 0)])
def test_what_is_no_heatmap_is_refused(shape):
    for function in (reductions.scale_to_unit, lambda h: reductions.top_groups(h, h)):
        with pytest.raises(ValueError, match=r"\(H, W\)"):
            function(np.zeros(shape))


def test_ranking_equals_the_twin(rng):
    heatmap = rng.exponential(size=(20, 30))
    segments = rng.choice([-7, 0, 3, 4, 900, 2**40], size=(20, 30))
    found = reductions.top_groups(heatmap, segments, 4)
    expected = twin.ranking(heatmap.tolist(), segments.tolist())[:4]
    assert [(g["group"], g["area"]) for g in found] == [e[:2] for e in expected]
    np.testing.assert_allclose(
        [g["mean"] for g in found], [e[2] for e in expected], rtol=1e-13
    )


def test_ranking_of_a_signed_map_goes_by_the_sum_of_absolute_values(rng):
    maps = rng.standard_normal((12, 9, 3)).astype(np.float32)
    segments = rng.integers(0, 12, (12, 9))
    heatmap = np.asarray(reductions.sum_absolute(maps[None])[0])
    of_map = reductions.top_groups(maps, segments, 12)
    of_heatmap = reductions.top_groups(heatmap, segments, 12)
    assert [g["group"] for g in of_map] == [g["group"] for g in of_heatmap]


def test_ties_stay_in_the_order_of_labels_whatever_the_areas(rng):
    # 0.1 summed 3 times is not 0.3: a plain mean would break these ties.
    segments = rng.permutation(np.repeat([5, 2, 9, 1], [3, 7, 11, 43])).reshape(8, 8)
    found = reductions.top_groups(np.full((8, 8), 0.1), segments, 4)
    assert [g["group"] for g in found] == [1, 2, 5, 9]
    assert {g["mean"] for g in found} == {0.1}


def test_a_group_without_a_mean_is_left_out_and_the_rest_is_json():
    heatmap = np.array([[1.0, np.nan, 3.0], [1.0, 9.0, np.inf]])
    segments = np.array([[0, 1, 2], [0, 1, 3]], np.int32)
    found = reductions.top_groups(heatmap, segments, 10)
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == [
        {"group": 2, "area": 1, "mean": 3.0},
        {"group": 0, "area": 2, "mean": 1.0},
    ]
    assert reductions.top_groups(np.full((2, 3), np.nan), segments, 10) == []


@pytest.mark.parametrize("k", [0, -1, 2.5, None])
def test_k_below_one_is_refused(k):
    with pytest.raises(ValueError, match="at least 1, but got"):
        reductions.top_groups(np.zeros((2, 2)), np.zeros((2, 2), int), k)


def test_segments_of_another_size_or_type_are_refused():
    with pytest.raises(ValueError, match=r"same size.*\(2, 3\)"):
        reductions.top_groups(np.zeros((2, 2)), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match=r"integer labels, but got float64.*astype"):
        reductions.top_groups(np.zeros((2, 2)), np.zeros((2, 2)))


def test_groups_below_the_least_area_are_left_out():
    heatmap = np.array([[9.0, 1.0, 1.0, 5.0, 5.0, 2.0]])
    segments = np.array([[0, 1, 1, 2, 2, 1]])
    assert [g["group"] for g in reductions.top_groups(heatmap, segments)] == [0, 2, 1]
    ranked = reductions.top_groups(heatmap, segments, min_area=2)
    assert [g["group"] for g in ranked] == [2, 1]
    ranked = reductions.top_groups(heatmap, segments, 1, min_area=3)
    assert [(g["group"], g["area"]) for g in ranked] == [(1, 3)]
    with pytest.raises(ValueError, match="min_area"):
        reductions.top_groups(heatmap, segments, min_area=0)
