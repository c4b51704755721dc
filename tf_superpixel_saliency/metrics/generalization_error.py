"""Definition 2: how much more a map is off on images that the network did not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.ops import checks


class GeneralizationError(NamedTuple):
    """An estimate of Definition 2.

    Attributes:
        error: |mean over networks of the gap|.
        low, high: interval of `error` over networks; NaN for a single network.
        gap: the mean over networks with its sign.
        gaps: (K,) float64, mean test loss − mean training loss of each network.
        undefined: number of losses that are NaN, left out of the means.
    """

    error: float
    low: float
    high: float
    gap: float
    gaps: np.ndarray
    undefined: int


def generalization_error(
    test_losses: Sequence, train_losses: Sequence, level: float = 0.95
) -> GeneralizationError:
    """ε_gen(I), Definition 2: |E_k[mean test loss − mean training loss]|.

    The interval is Student's over networks, on the mean gap with its sign: networks
    are few, where resampling them gives intervals that are too narrow. Where it
    covers 0, `low` is 0.

    Args:
        test_losses: K arrays (N_k,), `interpretation_loss` of each network on images
            that it did not see; or one array (K, N).
        train_losses: K arrays (M_k,) on images that it was trained on. The reference
            networks have seen neither.
        level: of the interval, in (0, 1).

    Returns:
        `GeneralizationError(error, low, high, gap, gaps, undefined)`.

    Raises:
        ValueError: another number of networks, or a network without any loss.
    """
    if len(test_losses) != len(train_losses) or not len(test_losses):
        raise ValueError(
            "test_losses and train_losses must have a row for each network, at least "
            f"one, but got {len(test_losses)} and {len(train_losses)} rows."
        )
    checks.checked_fraction("level", level)
    gaps, undefined = [], 0
    for k, (test, train) in enumerate(zip(test_losses, train_losses)):
        test_mean, missing = _mean_loss(f"test_losses[{k}]", test)
        train_mean, missing_too = _mean_loss(f"train_losses[{k}]", train)
        gaps.append(test_mean - train_mean)
        undefined += missing + missing_too
    gaps = np.array(gaps)
    gap = gaps.mean()
    low, high = _absolute_interval(gap, _half_width(gaps, level))
    return GeneralizationError(
        float(abs(gap)), float(low), float(high), float(gap), gaps, undefined
    )


def _mean_loss(name, losses):
    losses = np.asarray(losses, np.float64)
    known = losses[~np.isnan(losses)]
    if losses.ndim != 1 or not known.size:
        raise ValueError(
            f"{name} must hold losses of shape (N,), not all NaN, but got shape "
            f"{losses.shape} with {known.size} numbers."
        )
    return known.mean(), losses.size - known.size


def _half_width(values, level):
    """Of Student's interval of the mean."""
    from scipy import stats

    if len(values) < 2:
        return np.nan
    quantile = stats.t.ppf((1 + level) / 2, len(values) - 1)
    return quantile * values.std(ddof=1) / np.sqrt(len(values))


def _absolute_interval(gap, half):
    """The interval of |gap| from gap ± half."""
    ends = np.abs([gap - half, gap + half])
    return (0.0 if abs(gap) <= half else ends.min()), ends.max()
