"""Definition 2 on losses of several networks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tf_superpixel_saliency.metrics.generalization_error import generalization_error


def test_by_hand():
    """Gaps 2 and 4: mean 3, Student's interval of two values."""
    found = generalization_error([[5, 5], [7, 7, 10]], [[3, 3, 3], [4]])
    np.testing.assert_array_equal(found.gaps, [2, 4])
    assert (found.error, found.gap, found.undefined) == (3, 3, 0)
    half = 12.706204736 * 1.0  # t(0.975, 1) · sqrt(2)/sqrt(2)
    assert found.low == 0
    assert found.high == pytest.approx(3 + half)


@pytest.mark.parametrize("shift", [0.0, 2.0, -2.0])
def test_the_interval_is_of_the_absolute_mean(shift):
    rng = np.random.default_rng(0)
    test = shift + rng.normal(size=(6, 40))
    train = rng.normal(size=(6, 30))
    found = generalization_error(test, train, level=0.9)
    gaps = test.mean(axis=1) - train.mean(axis=1)
    low, high = stats.t.interval(0.9, 5, gaps.mean(), stats.sem(gaps))
    assert found.gap == pytest.approx(gaps.mean())
    assert found.error == pytest.approx(abs(gaps.mean()))
    assert found.high == pytest.approx(max(-low, high))
    assert found.low == pytest.approx(max(0, low, -high))
    assert (found.low == 0) == (shift == 0)


def test_the_absolute_value_is_taken_last():
    """Networks whose gaps cancel have no generalization error (Definition 2)."""
    found = generalization_error([[3], [1]], [[1], [3]])
    assert found.error == 0
    np.testing.assert_array_equal(found.gaps, [2, -2])


def test_one_network_has_no_interval():
    found = generalization_error([[2.0, 4.0]], [[1.0]])
    assert found.error == 2
    assert np.isnan([found.low, found.high]).all()


def test_undefined_losses_are_counted():
    found = generalization_error([[1, np.nan, 3]], [[1, np.nan]])
    assert (found.error, found.undefined) == (1, 2)


@pytest.mark.parametrize(
    ("test", "train", "text"),
    [
        ([], [], "at least one"),
        ([[1.0]], [[1.0], [2.0]], "1 and 2 rows"),
        ([[1.0], [np.nan]], [[1.0], [2.0]], r"test_losses\[1\]"),
        ([[1.0]], [[[1.0]]], r"train_losses\[0\]"),
    ],
)
def test_bad_losses(test, train, text):
    with pytest.raises(ValueError, match=text):
        generalization_error(test, train)
