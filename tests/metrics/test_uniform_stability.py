"""Definition 3 and Proposition 3 on pairs of networks."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import theory as reference
from tf_superpixel_saliency.metrics.uniform_stability import (
    grouped_stability,
    uniform_stability,
)

RNG = np.random.default_rng(0)
PAIRS = [tuple(RNG.normal(size=(2, 5, 4, 4, 2))) for _ in range(4)]
SEGMENTS = RNG.integers(0, 5, (5, 4, 4))


def pairs_of(distances):
    """Pairs of maps of one value that are these distances (P, N) apart."""
    distances = np.asarray(distances, float)[..., None, None, None]
    return [(row, np.zeros_like(row)) for row in distances]


def test_it_equals_the_twin():
    found = uniform_stability(PAIRS)
    epsilon, image = reference.stability(PAIRS)
    assert found.epsilon == pytest.approx(epsilon, rel=1e-12)
    assert found.image == image
    assert found.distances.shape == (4, 5)
    assert found.undefined == 0


def test_by_hand():
    """Means (2, 3, 1.5); the first half picks image 1, the second image 0."""
    distances = [[0, 5, 1], [4, 1, 2]]
    found = uniform_stability(pairs_of(distances))
    np.testing.assert_array_equal(found.distances, distances)
    assert (found.epsilon, found.image) == (3, 1)
    # Image 1 measured in the second half is 1, image 0 in the first half is 0.
    assert found.lower_bound == 0.5


def test_one_pair_has_no_second_half():
    found = uniform_stability(pairs_of([[1, 2]]))
    assert found.epsilon == 2
    assert np.isnan(found.lower_bound)


def test_the_lower_bound_takes_no_credit_for_luck():
    """Images all alike: their largest mean is too high, the lower bound isn't."""
    rng = np.random.default_rng(1)
    found = [
        uniform_stability(pairs_of(rng.exponential(size=(6, 50)))) for _ in range(200)
    ]
    assert np.mean([f.epsilon for f in found]) > 1.5
    assert np.mean([f.lower_bound for f in found]) == pytest.approx(1, abs=0.1)


def test_equal_networks_are_stable():
    found = uniform_stability([(maps, maps) for maps, _ in PAIRS])
    assert (found.epsilon, found.lower_bound) == (0, 0)


def test_a_generator_is_read_once():
    found = uniform_stability(pair for pair in PAIRS)
    assert found.epsilon == uniform_stability(PAIRS).epsilon


def test_zero_maps_have_no_direction_and_are_counted():
    pairs = [(a.copy(), b) for a, b in PAIRS]
    pairs[1][0][2] = 0
    assert uniform_stability(pairs).undefined == 0
    found = uniform_stability(pairs, normalized=True)
    assert found.undefined == 1
    assert np.isnan(found.distances[1, 2])
    assert 0 < found.epsilon <= 2


def test_grouped_stability_equals_the_twin():
    found = grouped_stability(PAIRS, SEGMENTS)
    grouped = [
        tuple(
            np.stack([reference.grouped(m, s) for m, s in zip(maps, SEGMENTS)])
            for maps in pair
        )
        for pair in PAIRS
    ]
    assert found.pixels.epsilon == pytest.approx(reference.stability(PAIRS)[0])
    assert found.groups.epsilon == pytest.approx(reference.stability(grouped)[0])
    assert found.ratio == pytest.approx(found.groups.epsilon / found.pixels.epsilon)
    assert found.bound_holds is True
    assert (found.groups.distances <= found.pixels.distances).all()


def test_pixels_as_groups_change_nothing():
    found = grouped_stability(PAIRS, np.arange(16).reshape(4, 4))
    assert found.ratio == pytest.approx(1, rel=1e-12)
    assert found.bound_holds


def test_normalised_the_bound_can_fail():
    """Maps that agree but in the means of their groups: grouping keeps the rest."""
    common = np.array([10.0, -10.0]).reshape(1, 1, 2, 1)
    a, b = common + 1, common - 1
    found = grouped_stability([(a, b)], [[0, 0]], normalized=True)
    assert found.groups.epsilon == pytest.approx(2)
    assert found.pixels.epsilon < 0.3
    assert found.bound_holds is False
    assert grouped_stability([(a, b)], [[0, 0]]).bound_holds is True


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ([], "at least one pair"),
        ([PAIRS[0], tuple(maps[:3] for maps in PAIRS[1])], "the same images"),
        ([(PAIRS[0][0], PAIRS[0][1][:2])], "one shape"),
        ([(np.full((1, 2, 2, 1), np.nan), np.zeros((1, 2, 2, 1)))], "No distance"),
    ],
)
def test_bad_pairs(pairs, text):
    with pytest.raises(ValueError, match=text):
        uniform_stability(pairs)
