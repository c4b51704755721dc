"""`chance_corrected` of several measures at once, and of smoothed maps."""

import numpy as np
import pytest

from tf_superpixel_saliency.metrics import cosine_similarity, l2_distance
from tf_superpixel_saliency.metrics.chance import chance_corrected


def test_several_measures_at_once_are_each_as_alone():
    rng = np.random.default_rng(11)
    maps_a, maps_b = rng.standard_normal((2, 3, 12, 12, 2))
    segments = rng.integers(0, 9, (3, 12, 12))

    def both(a, b):
        return np.stack([cosine_similarity(a, b), l2_distance(a, b)], axis=-1)

    found = chance_corrected(
        both, maps_a, maps_b, segments, num_seeds=4, perfect=[1.0, 0.0]
    )
    for column, (measure, perfect) in enumerate(
        [(cosine_similarity, 1.0), (l2_distance, 0.0)]
    ):
        alone = chance_corrected(
            measure, maps_a, maps_b, segments, num_seeds=4, perfect=perfect
        )
        for one, other in zip(found, alone):
            np.testing.assert_array_equal(one[:, column], other)


def test_smoothing_takes_the_place_of_grouping():
    rng = np.random.default_rng(12)
    maps_a, maps_b = rng.standard_normal((2, 3, 8, 8, 1))
    numbers = []

    def whole_mean(one_map, number):
        numbers.append(number)
        return np.full_like(one_map, one_map.mean()) + np.arange(8)[:, None, None]

    found = chance_corrected(
        l2_distance, maps_a, maps_b, num_seeds=2, perfect=0.0, smooth=whole_mean
    )
    means = maps_a.mean((1, 2, 3)) - maps_b.mean((1, 2, 3))
    np.testing.assert_allclose(found.observed, 8 * np.abs(means))
    np.testing.assert_allclose(found.chance_shuffled, 8 * np.abs(means))
    assert sorted(set(numbers)) == [0, 1, 2]
    with pytest.raises(ValueError, match="not both"):
        chance_corrected(
            l2_distance, maps_a, maps_b, np.zeros((8, 8), int), smooth=whole_mean
        )
