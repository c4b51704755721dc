"""Several comparisons at once, and the words that an interval allows."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.metrics.intervals import Difference, Interval
from tf_superpixel_saliency.ops import checks

HOLDS = "holds"
NOT_WORSE = "not worse"
DOES_NOT_HOLD = "does not hold"
CANNOT_BE_TOLD = "cannot be told"


def holm(p_values) -> np.ndarray:
    """p-values adjusted for their number by Holm's step-down method (1979).

    Args:
        p_values: real in [0, 1], of any shape, one for each comparison of the family
            (say one a method). NaN stays NaN and doesn't count as a comparison.

    Returns:
        float64 of the same shape: those below 0.05 are significant together.

    Raises:
        ValueError: values out of [0, 1].
    """
    p_values, defined, found = _family(p_values)
    adjusted = np.full(p_values.shape, np.nan)
    order = np.argsort(found)
    steps = found[order] * (found.size - np.arange(found.size))
    result = np.empty(found.size)
    result[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    adjusted[defined] = result
    return adjusted


def benjamini_hochberg(p_values) -> np.ndarray:
    """p-values adjusted by Benjamini and Hochberg's step-up method (1995).

    Those at most q are found with a false discovery rate of at most q: on average no
    more than that share of what is found is chance. It holds for independent tests
    and for such as depend on one another positively, as neighbouring groups do.

    Args:
        p_values: real in [0, 1], of any shape, one for each test of the family. NaN
            stays NaN and doesn't count as a test.

    Returns:
        float64 of the same shape.

    Raises:
        ValueError: values out of [0, 1].

    Example:

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p_values, defined, found = _family(p_values)
    adjusted = np.full(p_values.shape, np.nan)
    order = np.argsort(found)[::-1]
    steps = found[order] * found.size / np.arange(found.size, 0, -1)
    result = np.empty(found.size)
    result[order] = np.minimum(np.minimum.accumulate(steps), 1.0)
    adjusted[defined] = result
    return adjusted


def _family(p_values):
    """p-values as an array, which of them are defined, and those."""
    p_values = np.asarray(p_values, np.float64)
    defined = ~np.isnan(p_values)
    found = p_values[defined]
    if found.size and not (0 <= found.min() and found.max() <= 1):
        raise ValueError(
            f"p_values must lie in [0, 1], but got {found.min()} to {found.max()}."
        )
    return p_values, defined, found


def verdict(
    interval: Interval | Difference,
    margin: float | None = None,
    p_value: float | None = None,
    higher_is_better: bool = True,
    significance: float = 0.05,
) -> str:
    """What an interval says of the claim 'above 0', in one of four phrases.

    - "holds": the interval lies above 0, and the p-value, where there is one, is below
      `significance`;
    - "not worse": not so, but the interval lies above −margin, a margin fixed
      beforehand: 0.02 is two points;
    - "does not hold": neither;
    - "cannot be told": there is no interval, for want of values; or, where there is a
      margin, too little is known: the interval reaches from −margin to above 0, or
      lies below 0 with a p-value that is not below `significance`.

    Args:
        interval: of an excess, or of a difference between two methods.
        margin: None where 'not worse' is not what is claimed.
        p_value: adjusted by `holm` over the family; None takes the difference's own,
            if it has one.
        higher_is_better: False turns the interval round, as for a distance or the
            area under a deletion curve.
        significance: the level of the test, 1 − level of the interval.

    Returns:
        `HOLDS`, `NOT_WORSE`, `DOES_NOT_HOLD` or `CANNOT_BE_TOLD` of this module.

    Raises:
        ValueError: a negative margin.
    """
    if margin is not None:
        margin = checks.checked_number("margin", margin, 0.0)
    low = interval.low if higher_is_better else -interval.high
    if p_value is None:
        p_value = getattr(interval, "p_value", None)
    if np.isnan(low) or (p_value is not None and np.isnan(p_value)):
        return CANNOT_BE_TOLD
    significant = p_value is None or p_value < significance
    if low > 0 and significant:
        return HOLDS
    if margin is None:
        return DOES_NOT_HOLD
    if low > -margin:
        return NOT_WORSE
    high = interval.high if higher_is_better else -interval.low
    return DOES_NOT_HOLD if high <= 0 and significant else CANNOT_BE_TOLD
