"""Several networks' values: by hand, against SciPy, and what noise is found to be."""

import numpy as np
import pytest
from scipy import stats

from tf_superpixel_saliency.metrics import benjamini_hochberg, network_agreement


def test_equals_scipy():
    values = np.random.default_rng(0).normal(0.5, 1, (5, 7, 3))
    found = network_agreement(values)
    expected = stats.ttest_1samp(values, 0)
    np.testing.assert_allclose(found.p_values, expected.pvalue, rtol=1e-10)
    np.testing.assert_allclose(found.standard_error, stats.sem(values), rtol=1e-12)
    adjusted = stats.false_discovery_control(found.p_values.ravel(), method="bh")
    np.testing.assert_allclose(found.adjusted.ravel(), adjusted, rtol=1e-10)


def test_signs_by_hand_and_what_does_not_vary():
    found = network_agreement([[1.0, 2.0, 0.0, -3.0], [-4.0, 2.0, 0.0, 1.0]])
    np.testing.assert_allclose(found.mean, [-1.5, 2, 0, -1])
    np.testing.assert_allclose(found.sign_agreement, [0.5, 1, 0, 0.5])
    np.testing.assert_allclose(found.p_values[1:3], [0, 1])


def test_false_discoveries_of_noise_and_of_a_planted_signal():
    # 200 images of 100 groups; in half of them 20 groups have a signal of 3.
    random = np.random.default_rng(1)
    signal = np.where(np.arange(100) < 20, 3.0, 0.0)
    false, missed = [], []
    for image in range(200):
        shown = signal * (image % 2)
        found = network_agreement(shown + random.standard_normal((6, 100)))
        called = found.adjusted <= 0.1
        wrong = np.sum(called & (shown == 0)) / max(1, called.sum())
        false.append(wrong)
        if image % 2:
            missed.append(np.mean(~called[:20]))
    error = np.std(false) / np.sqrt(len(false))
    assert np.mean(false) <= 0.1 + 2 * error
    assert np.mean(missed) < 0.2


def test_adjusted_by_the_definition():
    # The smallest q at which a value is among the first k with p_(k) ≤ q·k/m.
    p_values = np.array([0.001, 0.04, 0.03, 0.9, 0.03, np.nan, 0.2])
    known = np.sort(p_values[~np.isnan(p_values)])
    ranks = np.arange(1, len(known) + 1)
    expected = [
        np.min([p * len(known) / k for p, k in zip(known, ranks) if p >= own])
        if own == own
        else np.nan
        for own in p_values
    ]
    np.testing.assert_allclose(benjamini_hochberg(p_values), expected)
    assert benjamini_hochberg([]).size == 0
    with pytest.raises(ValueError, match=r"p_values must lie in \[0, 1\]"):
        benjamini_hochberg([0.5, 1.5])


@pytest.mark.parametrize(
    "values, error",
    [([[1.0, 2.0]], "at least two networks"), ([[np.nan], [1.0]], "finite")],
)
def test_errors(values, error):
    with pytest.raises(ValueError, match=error):
        network_agreement(values)
