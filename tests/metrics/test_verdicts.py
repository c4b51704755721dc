from __future__ import annotations

import numpy as np
import pytest

from tests.reference import resampling as twin
from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.metrics import verdicts


def test_holm_by_hand():
    # 0.01·4, then 0.03·3 = 0.09, which 0.04·2 = 0.08 may not fall below, then 0.5.
    found = metrics.holm([0.04, 0.01, 0.5, 0.03])
    np.testing.assert_allclose(found, [0.09, 0.04, 0.5, 0.09])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_holm_equals_the_twin(count):
    random = np.random.default_rng(count)
    p_values = np.round(random.random(count) ** 3, 1)  # with ties
    np.testing.assert_allclose(metrics.holm(p_values), twin.holm(p_values.tolist()))


def test_holm_keeps_the_shape_and_leaves_nan_out():
    p_values = np.array([[0.01, np.nan], [0.03, 0.04]])
    found = metrics.holm(p_values)
    np.testing.assert_allclose(found, [[0.03, np.nan], [0.06, 0.06]])
    assert metrics.holm([]).shape == (0,)
    np.testing.assert_array_equal(metrics.holm([1, 0.9]), [1, 1])
    with pytest.raises(ValueError, match=r"\[0, 1\], but got 0.5 to 1.5"):
        metrics.holm([0.5, 1.5])


def interval(low, high):
    return metrics.Interval((low + high) / 2, low, high, 10, 0)


@pytest.mark.parametrize(
    ("low", "high", "margin", "expected"),
    [
        (0.01, 0.03, None, "holds"),
        (0.01, 0.03, 0.02, "holds"),
        (0.0, 0.03, None, "does not hold"),
        (-0.01, 0.03, None, "does not hold"),
        (-0.01, 0.03, 0.02, "not worse"),
        (-0.01, -0.005, 0.02, "not worse"),
        (-0.02, 0.03, 0.02, "cannot be told"),
        (-0.03, 0.0, 0.02, "does not hold"),
        (-0.03, -0.01, 0.02, "does not hold"),
        (-0.4, 0.2, None, "does not hold"),
        (np.nan, np.nan, 0.02, "cannot be told"),
    ],
)
def test_verdicts_go_by_the_lower_end(low, high, margin, expected):
    assert metrics.verdict(interval(low, high), margin) == expected
    turned = interval(-high, -low)
    assert metrics.verdict(turned, margin, higher_is_better=False) == expected


def test_a_claim_holds_only_after_holm():
    above = interval(0.01, 0.03)
    assert metrics.verdict(above, p_value=0.04) == verdicts.HOLDS
    assert metrics.verdict(above, p_value=0.06) == verdicts.DOES_NOT_HOLD
    assert metrics.verdict(above, p_value=0.06, margin=0.02) == verdicts.NOT_WORSE
    assert metrics.verdict(above, p_value=0.04, significance=0.01) == (
        verdicts.DOES_NOT_HOLD
    )
    below = interval(-0.03, -0.01)  # nor does it fail before
    assert metrics.verdict(below, 0.02, p_value=0.04) == verdicts.DOES_NOT_HOLD
    assert metrics.verdict(below, 0.02, p_value=0.06) == verdicts.CANNOT_BE_TOLD
    assert metrics.verdict(below, 0.04, p_value=0.06) == verdicts.NOT_WORSE
    assert metrics.verdict(below, p_value=0.06) == verdicts.DOES_NOT_HOLD
    assert metrics.verdict(above, p_value=np.nan) == verdicts.CANNOT_BE_TOLD
    difference = metrics.Difference(0.02, 0.01, 0.03, 10, 0, 0.2)
    assert metrics.verdict(difference) == verdicts.DOES_NOT_HOLD  # its own p-value
    assert metrics.verdict(difference, p_value=0.01) == verdicts.HOLDS
    with pytest.raises(ValueError, match="margin must be a number of at least 0"):
        metrics.verdict(above, margin=-0.02)


def test_noise_does_not_hold_and_a_shared_signal_does():
    random = np.random.default_rng(4)
    a, b, both = random.standard_normal((3, 40, 16, 16, 3))
    segments = random.integers(0, 40, (40, 16, 16))

    def claim(maps_a, maps_b):
        found = metrics.chance_corrected(
            metrics.structural_similarity, maps_a, maps_b, segments, num_seeds=5
        )
        return metrics.verdict(metrics.bootstrap_interval(found.excess))

    assert claim(a, b) == verdicts.DOES_NOT_HOLD
    assert claim(a + 2 * both, b + 2 * both) == verdicts.HOLDS
