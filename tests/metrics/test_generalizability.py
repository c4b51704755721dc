from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.reference import generalizability as twin
from tests.reference import stability
from tf_superpixel_saliency import metrics

UNIT_DISTANCE = functools.partial(metrics.l2_distance, normalized=True)


def two_models(distances, right_of_second):
    """Maps of two models, `distances` apart; the first is always right."""
    distances = np.array(distances, np.float64)
    maps = np.zeros((2, distances.size, 1, 1))
    maps[1, :, 0, 0] = distances
    predictions = np.stack(
        [np.full(distances.size, 7), np.where(right_of_second, 7, 8)]
    )
    return maps, predictions, np.full(distances.size, 7), np.arange(distances.size) % 2


def test_a_case_by_hand():
    # S= {1, 2, 4}, S≠ {3, 5}: at γ = 2, TPR is 2/3 and TNR 1; at γ = 4, 1 and 1/2.
    case = two_models([1, 3, 2, 5, 4], [True, False, True, False, True])
    found = metrics.mege_and_reco(*case)
    assert found.mege == pytest.approx(1 / (1 + 7 / 3))
    assert found.reco == pytest.approx(2 / 3) and found.threshold == 2
    np.testing.assert_array_equal(found.same.distances, [1, 2, 4])
    np.testing.assert_array_equal(found.same.images, [0, 2, 4])
    np.testing.assert_array_equal(found.different.distances, [3, 5])
    np.testing.assert_array_equal(found.different.unseen, [1, 1])
    np.testing.assert_array_equal(found.different.seen, [0, 0])
    alone = metrics.mege(*case)
    assert alone.mege == found.mege
    np.testing.assert_array_equal(alone.same, found.same)
    alone = metrics.reco(*case)
    assert (alone.reco, alone.threshold) == (found.reco, found.threshold)
    np.testing.assert_array_equal(alone.different, found.different)


@pytest.mark.parametrize(
    ("distances", "reco", "threshold"),
    [
        ([1, 2, 3, 4], 1, 2),  # S= all below S≠
        ([3, 4, 1, 2], 0, -np.inf),  # all above: no threshold helps
        ([1, 1, 1, 1], 0, -np.inf),  # ties are never told apart
        ([1, 2, 1, 2], 0, -np.inf),
        ([1, 2, 2, 3], 0.5, 1),  # ties across the sets go together
    ],
)
def test_reco_at_its_extremes_and_with_ties(distances, reco, threshold):
    case = two_models(distances, [True, True, False, False])
    found = metrics.reco(*case)
    assert found.reco == pytest.approx(reco) and found.threshold == threshold


def test_equal_maps_have_a_mege_of_one_and_a_reco_of_zero():
    maps = np.broadcast_to(
        np.random.default_rng(1).random((8, 3, 3, 2)), (4, 8, 3, 3, 2)
    )
    predictions = np.zeros((4, 8), int)
    predictions[1, :3] = 1
    found = metrics.mege_and_reco(maps, predictions, np.zeros(8, int), np.arange(8) % 4)
    assert found.mege == 1 and found.reco == 0
    assert len(found.same.distances) and len(found.different.distances)


def random_case(models=4, count=23):
    """Maps, predictions (some wrong), labels and folds of no order."""
    random = np.random.default_rng(2)
    maps = random.standard_normal((models, count, 3, 4, 2))
    labels = random.integers(0, 10, count)
    wrong = random.random((models, count)) < 0.4
    wrong[:, 5] = True  # an image that no model gets right
    predictions = np.where(wrong, (labels + 1) % 10, labels)
    return maps, predictions, labels, random.integers(0, models, count)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_pairs_and_aggregates_equal_the_twin(normalized, batch_size):
    maps, predictions, labels, folds = random_case()

    def distance(i, j, n):
        flat = [stability.flat(maps[model, n], True) for model in (i, j)]
        return stability.distance(*flat, normalized)

    same, different = twin.pairs(distance, (predictions == labels).tolist(), folds)
    found = metrics.mege_and_reco(
        maps,
        predictions,
        labels,
        folds,
        distance=UNIT_DISTANCE if normalized else metrics.l2_distance,
        batch_size=batch_size,
    )
    for pairs, expected in ((found.same, same), (found.different, different)):
        assert len(expected) > 10
        distances, *indices = zip(*expected)
        np.testing.assert_allclose(pairs.distances, distances, rtol=1e-12)
        np.testing.assert_array_equal(pairs[1:], indices)
    distances = [[pair[0] for pair in pairs] for pairs in (same, different)]
    assert found.mege == pytest.approx(twin.mege(distances[0]), rel=1e-12)
    assert found.reco == pytest.approx(twin.reco(*distances), rel=1e-12)
    below = np.mean(found.same.distances <= found.threshold)
    above = np.mean(found.different.distances > found.threshold)
    assert below + above - 1 == pytest.approx(found.reco)


def test_a_callable_is_asked_for_maps_that_make_a_pair_and_for_none_twice():
    maps, predictions, labels, folds = random_case()
    asked = []

    def explain(model, images):
        asked.extend((model, int(n)) for n in images)
        return maps[model, images]

    found = metrics.mege_and_reco(explain, predictions, labels, folds, batch_size=4)
    expected = metrics.mege_and_reco(maps, predictions, labels, folds)
    for pairs, others in ((found.same, expected.same), (found[4], expected[4])):
        np.testing.assert_array_equal(pairs, others)
    needed = set()
    for pairs in (expected.same, expected.different):
        needed |= set(zip(pairs.unseen.tolist(), pairs.images.tolist()))
        needed |= set(zip(pairs.seen.tolist(), pairs.images.tolist()))
    assert len(asked) == len(set(asked)) and set(asked) == needed
    assert not any(n == 5 for _, n in asked)


def test_noise_has_a_mege_of_its_scale_unless_it_is_normalised():
    random = np.random.default_rng(3)
    maps = random.standard_normal((3, 12, 16, 16))
    rest = np.zeros((3, 12), int), np.zeros(12, int), np.arange(12) % 3
    plain, small = metrics.mege(maps, *rest).mege, metrics.mege(maps / 10, *rest).mege
    assert small > 3 * plain
    plain, small = (
        metrics.mege(m, *rest, distance=UNIT_DISTANCE).mege for m in (maps, maps / 10)
    )
    assert plain == pytest.approx(small)
    assert plain == pytest.approx(1 / (1 + 2**0.5), abs=0.01)


def test_a_set_without_distances_has_no_value():
    right = two_models([1, 2, 3, 4], [True] * 4)
    found = metrics.mege_and_reco(*right)
    assert found.mege == pytest.approx(1 / 3.5)
    assert np.isnan(found.reco) and np.isnan(found.threshold)
    found = metrics.mege_and_reco(*two_models([1, 2, 3, 4], [False] * 4))
    assert np.isnan(found.mege) and np.isnan(found.reco)
    assert len(found.same.distances) == 0 and len(found.different.distances) == 4
    maps, predictions, labels, folds = right
    found = metrics.mege_and_reco(maps, predictions + 1, labels, folds)
    assert np.isnan(found[:3]).all() and not len(found.different.images)


def test_zero_maps_stay_in_the_pairs_and_count_in_no_mean():
    maps, predictions, labels, folds = random_case()
    expected = metrics.mege(maps, predictions, labels, folds, UNIT_DISTANCE)
    victim = expected.same.images[0]
    maps[:, victim] = 0
    found = metrics.mege(maps, predictions, labels, folds, UNIT_DISTANCE)
    undefined = np.isnan(found.same.distances)
    np.testing.assert_array_equal(undefined, found.same.images == victim)
    kept = expected.same.distances[expected.same.images != victim]
    assert found.mege == pytest.approx(1 / (1 + kept.mean()))


def test_bad_input_is_refused():
    maps, predictions, labels, folds = random_case()
    for function in (metrics.mege, metrics.reco, metrics.mege_and_reco):
        with pytest.raises(TypeError, match=r"predictions must be integers.*argmax"):
            function(maps, predictions / 2, labels, folds)
    found = metrics.mege_and_reco
    with pytest.raises(ValueError, match=r"predictions must have shape \(k, N\)"):
        found(maps[0], predictions[0], labels, folds)
    with pytest.raises(ValueError, match=r"labels must have shape \(23,\)"):
        found(maps, predictions, labels[:3], folds)
    with pytest.raises(ValueError, match=r"folds must be 0 to 3.*got 1 to 4"):
        found(maps, predictions, labels, np.r_[4, np.ones(22, int)])
    with pytest.raises(ValueError, match=r"maps must be .*\(4, 23, H, W, C\)"):
        found(maps[:3], predictions, labels, folds)
    with pytest.raises(ValueError, match="at least one image"):
        found(maps[:, :0], predictions[:, :0], labels[:0], folds[:0])
    with pytest.raises(ValueError, match="one map an image"):
        found(lambda model, images: maps[model], predictions, labels, folds)
    with pytest.raises(ValueError, match="one number a pair"):
        found(maps, predictions, labels, folds, distance=lambda a, b: a - b)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        found(maps, predictions, labels, folds, batch_size=0)
