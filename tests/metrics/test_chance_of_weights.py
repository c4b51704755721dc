"""White noise: what its agreement by chance is under either weighting."""

import numpy as np
import pytest

from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.metrics.chance import chance_corrected


def noise_and_groups(count=6, side=32):
    """Two 'networks' of white noise; groups of 1 to 200 pixels along the raster."""
    rng = np.random.default_rng(0)
    sizes = np.repeat([1, 4, 20, 60, 200], [24, 20, 12, 5, 1])
    sizes = rng.permutation(np.r_[sizes, side**2 - sizes.sum()])
    labels = np.repeat(np.arange(len(sizes)), sizes).reshape(side, side)
    return *rng.standard_normal((2, count, side, side, 3)), labels


@pytest.mark.parametrize("weights", ["mean", "sqrt"])
def test_excess_is_none_either_way(weights):
    a, b, labels = noise_and_groups(count=12)
    for measure in (metrics.structural_similarity, metrics.rank_correlation):
        found = chance_corrected(measure, a, b, labels, num_seeds=5, weights=weights)
        error = found.excess.std(ddof=1) / np.sqrt(len(a))
        assert np.abs(found.excess.mean()) < 3 * error < 0.4


def test_roots_take_the_chance_away():
    a, b, labels = noise_and_groups()
    chance = {
        weights: chance_corrected(
            metrics.rank_correlation, a, b, labels, num_seeds=5, weights=weights
        ).chance.mean()
        for weights in ("mean", "sqrt")
    }
    assert chance["mean"] > 0.4
    assert abs(chance["sqrt"]) < 0.06


def test_weights_are_those_of_group_map():
    import tf_superpixel_saliency as tss

    a, b, labels = noise_and_groups(count=2)
    found = chance_corrected(metrics.l2_distance, a, b, labels, 1, weights="sqrt")
    expected = metrics.l2_distance(
        tss.group_map(a, labels, "sqrt"), tss.group_map(b, labels, "sqrt")
    )
    np.testing.assert_allclose(found.observed, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="weights must be one of"):
        chance_corrected(metrics.l2_distance, a, b, labels, weights="root")
