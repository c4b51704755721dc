from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from tests.metrics.partitions import squares
from tests.reference import stability as twin
from tf_superpixel_saliency import mapping, metrics

SIGNED_COSINE = metrics.cosine_similarity


@pytest.fixture
def small():
    random = np.random.default_rng(8)
    a, b = random.standard_normal((2, 3, 2, 3, 2))
    return a, b, np.array([[[7, 7, 2], [2, 7, 7]], [[0, 1, 2]] * 2, [[5, 5, 5]] * 2])


def cosine_twin(a, b, segments):
    grouped = [twin.group_mean(maps, segments) for maps in (a, b)]
    return twin.cosine(*(twin.flat(maps, True) for maps in grouped))


def test_observed_and_chance_equal_the_twin_over_all_permutations(small):
    a, b, segments = small
    draws = 3000
    found = metrics.chance_corrected(SIGNED_COSINE, a, b, segments, num_seeds=draws)
    for i in range(3):
        expected = cosine_twin(a[i], b[i], segments[i])
        np.testing.assert_allclose(found.observed[i], expected, rtol=1e-12)
        others = [cosine_twin(a[i], b[j], segments[i]) for j in range(3) if j != i]
        np.testing.assert_allclose(found.chance_other[i], np.mean(others), rtol=1e-12)
        pixels = b[i].reshape(6, 2)
        shuffled = [
            cosine_twin(a[i], pixels[list(order)].reshape(2, 3, 2), segments[i])
            for order in itertools.permutations(range(6))
        ]
        error = np.std(shuffled) / draws**0.5
        assert abs(found.chance_shuffled[i] - np.mean(shuffled)) <= 4 * error + 1e-12
    mean = (found.chance_shuffled + found.chance_other) / 2
    np.testing.assert_array_equal(found.chance, mean)
    expected = (found.observed - found.chance) / (1 - found.chance)
    np.testing.assert_allclose(found.excess, expected, rtol=1e-12)


def recorded(a, b, segments=None, **settings):
    """The maps that `chance_corrected` hands to a measure, one entry an image."""
    calls = []

    def measure(maps_a, maps_b):
        calls.append((np.array(maps_a), np.array(maps_b)))
        return np.zeros(len(maps_a))

    metrics.chance_corrected(measure, a, b, segments, **settings)
    return calls


def test_the_candidates_are_what_they_are_said_to_be():
    random = np.random.default_rng(9)
    a, b = random.standard_normal((2, 6, 4, 5, 3)).astype(np.float32)
    calls = recorded(a, b, num_seeds=4)
    for i, (own, candidates) in enumerate(calls):
        assert len(candidates) == 9 and candidates.dtype == np.float32
        np.testing.assert_array_equal(own, np.broadcast_to(a[i], own.shape))
        np.testing.assert_array_equal(candidates[0], b[i])
        pixels = {tuple(pixel) for pixel in b[i].reshape(-1, 3)}
        for shuffled in candidates[1:5]:  # all channels of a pixel go together
            assert {tuple(pixel) for pixel in shuffled.reshape(-1, 3)} == pixels
            assert not np.array_equal(shuffled, b[i])
        assert len({shuffled.tobytes() for shuffled in candidates[1:5]}) == 4
        others = [[np.array_equal(c, m) for m in b].index(True) for c in candidates[5:]]
        assert len(set(others)) == 4 and i not in others


def test_further_images_are_drawn_from_as_those_of_the_batch_are(small):
    """Two images with the third as a further one: all others, each taken once."""
    a, b, segments = small
    measure = functools.partial(metrics.chance_corrected, SIGNED_COSINE)
    whole = measure(a, b, segments, num_seeds=9)
    parted = measure(a[:2], b[:2], segments[:2], num_seeds=9, others=b[2:])
    for one, other in zip(parted, whole):
        np.testing.assert_allclose(one, other[:2], rtol=1e-12)
    alone = measure(a[:1], b[:1], segments[:1], num_seeds=9, others=b[1:])
    np.testing.assert_allclose(alone.chance, whole.chance[:1], rtol=1e-12)
    calls = recorded(a[:2], b[:2], num_seeds=1, others=b[2:])
    assert all(len(candidates) == 3 for _, candidates in calls)
    with pytest.raises(ValueError, match="each of shape"):
        recorded(a, b, others=b[0])


def test_further_heatmaps(small):
    a, b = (np.abs(maps).sum(-1) for maps in small[:2])
    whole = metrics.chance_corrected(metrics.l2_distance, a, b, perfect=0)
    parted = metrics.chance_corrected(
        metrics.l2_distance, a[:1], b[:1], perfect=0, others=b[1:]
    )
    np.testing.assert_allclose(parted.chance, whole.chance[:1], rtol=1e-12)
    with pytest.raises(ValueError, match=r"each of shape \(2, 3\)"):
        recorded(a, b, others=b[:, 1:])


def test_shuffling_the_groups_is_shuffling_the_pixels():
    # One group a pixel, numbered in raster order, is no grouping at all.
    random = np.random.default_rng(10)
    a, b = random.standard_normal((2, 3, 4, 5, 2))
    pixels = np.arange(20).reshape(4, 5)
    for plain, grouped in zip(recorded(a, b), recorded(a, b, pixels)):
        np.testing.assert_array_equal(plain, grouped)


def test_grouping_is_that_of_group_map():
    random = np.random.default_rng(11)
    a, b = random.standard_normal((2, 3, 8, 8, 3)).astype(np.float32)
    segments = random.integers(3, 20, (3, 8, 8))
    for i, (own, candidates) in enumerate(recorded(a, b, segments, num_seeds=2)):
        expected = mapping.group_map(a[i : i + 1], segments[i])[0]
        np.testing.assert_allclose(own[0], expected, rtol=1e-5, atol=1e-6)
        for candidate in candidates:  # each of them constant in each group
            again = mapping.group_map(candidate[None], segments[i])[0]
            np.testing.assert_allclose(candidate, again, rtol=1e-5, atol=1e-6)


def test_shuffles_depend_on_the_seed_and_the_position_alone():
    random = np.random.default_rng(12)
    a, b = random.standard_normal((2, 5, 8, 8))
    corrected = functools.partial(
        metrics.chance_corrected, metrics.rank_correlation, segments=squares(8, 2)
    )
    found, again, fewer = corrected(a, b), corrected(a, b), corrected(a[:3], b[:3])
    np.testing.assert_array_equal(found, again)
    for name in ("observed", "chance_shuffled"):
        expected = getattr(found, name)[:3]
        np.testing.assert_array_equal(getattr(fewer, name), expected)
    other = corrected(a, b, seed=1)
    np.testing.assert_array_equal(other.observed, found.observed)
    assert (other.chance_shuffled != found.chance_shuffled).all()
    same_maps = corrected(a[[0, 0]], b[[0, 0]])  # positions have shuffles of their own
    assert same_maps.chance_shuffled[0] != same_maps.chance_shuffled[1]


def test_one_image_has_the_shuffled_part_alone(small):
    a, b, segments = (array[:1] for array in small)
    found = metrics.chance_corrected(SIGNED_COSINE, a, b, segments)
    assert np.isnan(found.chance_other).all()
    np.testing.assert_array_equal(found.chance, found.chance_shuffled)
    assert np.isfinite(found.excess).all()


def test_maps_without_a_value_are_left_out_of_the_means():
    random = np.random.default_rng(13)
    a, b = random.standard_normal((2, 4, 8, 8))
    a[0], b[1] = 0, 0
    found = metrics.chance_corrected(SIGNED_COSINE, a, b, squares(8, 2))
    assert all(np.isnan(part[0]) for part in found)
    assert np.isnan(found.observed[1]) and np.isnan(found.excess[1])
    assert np.isnan(found.chance_shuffled[1]) and np.isfinite(found.chance_other[1])
    kept = metrics.chance_corrected(SIGNED_COSINE, a[[2, 3]], b[[2, 3]], squares(8, 2))
    of_third = [
        metrics.cosine_similarity(
            mapping.group_map(a[2:3], squares(8, 2)),
            mapping.group_map(b[j : j + 1], squares(8, 2)),
        )[0]
        for j in (0, 3)
    ]
    np.testing.assert_allclose(found.chance_other[2], np.mean(of_third), rtol=1e-5)
    np.testing.assert_allclose(found.observed[2:], kept.observed, rtol=1e-12)


def test_one_group_has_no_structure_and_perfect_chance_no_excess():
    random = np.random.default_rng(14)
    a, b = np.abs(random.standard_normal((2, 3, 8, 8)))
    one = np.zeros((8, 8), int)
    found = metrics.chance_corrected(metrics.structural_similarity, a, b, one)
    assert np.isnan(found).all()
    found = metrics.chance_corrected(SIGNED_COSINE, a, b, one)
    np.testing.assert_allclose(found.chance, 1, rtol=1e-12)
    assert np.isnan(found.excess).all()


def test_a_measure_gets_maps_of_the_rank_that_was_given():
    heatmaps = np.random.default_rng(15).random((2, 3, 4, 5))
    (own, candidates), *_ = recorded(*heatmaps, num_seeds=2)
    assert own.shape == candidates.shape == (5, 4, 5)
    (own, candidates), *_ = recorded(*heatmaps[..., None], num_seeds=2)
    assert own.shape == candidates.shape == (5, 4, 5, 1)


def test_measures_side_by_side_are_each_by_itself():
    random = np.random.default_rng(16)
    a, b = random.standard_normal((2, 4, 12, 12, 2))
    a[1] = 0  # its distance has a value, its cosine none
    measures, segments = [SIGNED_COSINE, metrics.l2_distance], squares(12, 3)

    def together(maps_a, maps_b):
        return np.stack([measure(maps_a, maps_b) for measure in measures], axis=1)

    found = metrics.chance_corrected(together, a, b, segments, perfect=[1, 0])
    for k, measure in enumerate(measures):
        alone = metrics.chance_corrected(measure, a, b, segments, perfect=1 - k)
        # Means over one axis or another differ in the last bit.
        np.testing.assert_allclose(
            [part[:, k] for part in found], alone, rtol=1e-12, atol=1e-14
        )
    assert np.isnan(found.excess[1, 0]) and np.isfinite(found.excess[1, 1])


def test_what_is_done_in_place_of_grouping_is_done_to_every_map():
    random = np.random.default_rng(17)
    a, b = random.standard_normal((2, 3, 8, 8, 2))

    def smooth(one_map, number):
        return one_map * (number + 2) + 1

    plain = recorded(a, b, num_seeds=2)
    smoothed = recorded(a, b, num_seeds=2, smooth=smooth)
    for i in range(3):
        for before, after in zip(plain[i], smoothed[i]):
            np.testing.assert_array_equal(after, before * (i + 2) + 1)
    with pytest.raises(ValueError, match="segments or smooth"):
        recorded(a, b, squares(8, 2), smooth=smooth)


def test_inputs_are_left_as_they_came(small):
    before = [array.copy() for array in small]
    for array in small:
        array.flags.writeable = False
    metrics.chance_corrected(SIGNED_COSINE, *small)
    for array, copy in zip(small, before):
        np.testing.assert_array_equal(array, copy)


def test_bad_input_is_refused(small):
    a, b, segments = small
    with pytest.raises(ValueError, match="one shape"):
        metrics.chance_corrected(SIGNED_COSINE, a, b[:2], segments)
    with pytest.raises(ValueError, match="at least one image"):
        metrics.chance_corrected(SIGNED_COSINE, a[:0], b[:0])
    with pytest.raises(ValueError, match="segments must have shape"):
        metrics.chance_corrected(SIGNED_COSINE, a, b, segments[:2])
    with pytest.raises(TypeError, match="integer labels"):
        metrics.chance_corrected(SIGNED_COSINE, a, b, segments / 2)
    with pytest.raises(ValueError, match="num_seeds must be at least 1"):
        metrics.chance_corrected(SIGNED_COSINE, a, b, segments, num_seeds=0)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        metrics.chance_corrected(SIGNED_COSINE, a, b, segments, seed=-1)
    with pytest.raises(ValueError, match=r"one number a pair, shape \(\d+,\)"):
        metrics.chance_corrected(lambda p, q: p - q, a, b, segments)
