"""One network's grouped map against another's gradient."""

import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.metrics import prediction_score

SQUARES = (np.arange(8)[:, None] // 2) * 4 + np.arange(8)[None] // 2


def noise(count=3, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 8, 8, 3))


@pytest.mark.parametrize("weights", ["mean", "sqrt"])
def test_is_the_cosine_of_the_grouped_and_the_plain(weights):
    a, b = noise(), noise(seed=1)
    found = prediction_score(a, b, SQUARES, weights)
    grouped = tss.group_map(a, SQUARES, weights).reshape(3, -1)
    flat = b.reshape(3, -1)
    expected = np.sum(grouped * flat, 1) / (
        np.linalg.norm(grouped, axis=1) * np.linalg.norm(flat, axis=1)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    pixels = prediction_score(a, b)
    np.testing.assert_allclose(pixels, tss.metrics.cosine_similarity(a, b))


def test_noise_predicts_nothing_in_any_groups():
    labels = np.repeat(np.arange(4), [1, 3, 20, 40]).reshape(8, 8)
    found = prediction_score(noise(2000), noise(2000, 1), labels)
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))
    # Its heatmaps agree all the same, where both are grouped.
    agreed = tss.metrics.rank_correlation(
        *(tss.group_map(noise(50, seed), labels) for seed in (2, 3))
    )
    assert agreed.mean() > 0.4


def test_by_hand_a_planted_signal():
    # b is the signal; a has noise of variance v on each of n pixels of s = ±1 in
    # groups of four. cos² = n/(n + v·n) of pixels, n/(n + v·n/4) of groups.
    signal = np.random.default_rng(0).choice([-1.0, 1.0], 16)[SQUARES][..., None]
    a = signal + 2.0 * np.random.default_rng(1).standard_normal((400, 8, 8, 1))
    b = np.broadcast_to(signal, a.shape)
    for segments, expected in ((None, 1 / np.sqrt(5)), (SQUARES, 1 / np.sqrt(2))):
        found = prediction_score(a, b, segments).mean()
        assert found == pytest.approx(expected, rel=0.03)


def test_scale_gains_nothing_and_zero_has_no_score():
    a, b = noise(), noise(seed=1)
    first = prediction_score(a, b, SQUARES)
    np.testing.assert_allclose(prediction_score(5 * a, 0.1 * b, SQUARES), first)
    a[0] = 0
    assert np.isnan(prediction_score(a, b, SQUARES)).tolist() == [True, False, False]
    with pytest.raises(ValueError, match="weights must be one of"):
        prediction_score(a, b, SQUARES, "root")
    with pytest.raises(ValueError, match="one shape"):
        prediction_score(a, b[:1])
