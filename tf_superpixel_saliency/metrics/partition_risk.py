"""Which partition suits a network's maps: bias and variance of grouping, unbiased.

A network's map is a = s + n_a: s, what all trainings have in common, and a noise of
its own with mean 0. Grouping it gives κa, which misses s by a bias, (I − κ)s, and by
what is left of the noise, κn_a. Two maps with independent noise tell both apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.grouping import group_map
from tf_superpixel_saliency.metrics.pairs import checked_pair
from tf_superpixel_saliency.ops import checks


class PartitionRisk(NamedTuple):
    """What `partition_risk` returns, each (N,) float64.

    Attributes:
        risk: bias + variance.
        bias: ⟨(I − κ)a, (I − κ)b⟩, which estimates ‖(I − κ)s‖².
        variance: ½‖κ(a − b)‖², which estimates E‖κn‖², over `num_averaged`.
        shrunk: the risk of the best multiple of κa.
    """

    risk: np.ndarray
    bias: np.ndarray
    variance: np.ndarray
    shrunk: np.ndarray


def partition_risk(
    maps_a, maps_b, segments=None, num_averaged: int = 1
) -> PartitionRisk:
    """The expected squared distance of a grouped map from what the networks share.

    E‖κa − s‖² = ‖(I − κ)s‖² + E‖κn‖² for maps a = s + n_a and b = s + n_b whose noise
    has mean 0 and is independent. Both terms are estimated without bias, whatever the
    partition and the noise:

        R(κ) = ⟨(I − κ)a, (I − κ)b⟩ + ½‖κ(a − b)‖².

    The smaller, the better the partition, pixels (κ = I) among them: large groups
    have more bias, small ones more variance. The estimate of the bias can be below 0.
    Raw and of the maps' own scale: compare partitions on the same maps, and average
    over images after dividing by the risk of pixels.

    Where the noise is larger than the signal a map of zeros is nearer to s than any
    map with details, and the risk takes the fewest groups there are. A map that is
    looked at has no scale: `shrunk` is the least risk of all multiples of κa,

        ‖s‖² − ‖κs‖⁴ / (‖κs‖² + E‖κn‖²),  ⟨a, b⟩ for ‖s‖² and ⟨κa, κb⟩ for ‖κs‖².

    Its smallest value has the partition of the largest expected `prediction_score`.

    What the noise is depends on the pair. Two trainings: all that training leaves to
    chance. Two draws of one network's noise samples: the sampling error alone; what
    the training left there is in both maps, and counts as signal.

    Args:
        maps_a, maps_b: maps of two networks, or from two draws of the noise, before
            any grouping, (N, H, W, C) or (N, H, W).
        segments: (H, W) or (N, H, W) non-negative integers in any numbering; None for
            pixels.
        num_averaged: of how many such maps the one that is shown is the mean: 1 for
            a network's own, 2 for the mean of the two.

    Returns:
        `PartitionRisk(risk, bias, variance, shrunk)`, NaN where a map is not finite.

    Raises:
        ValueError, TypeError: shapes that don't fit, segments that aren't labels, or
            a count below 1.

    Example:

    >>> a = np.array([[[2.0, 4.0, 0.0, 0.0]]])
    >>> b = np.array([[[4.0, 2.0, 0.0, 0.0]]])
    >>> found = partition_risk(a, b, [[0, 0, 1, 1]])  # (I − κ)a = (−1, 1, 0, 0)
    >>> found.risk.tolist(), found.bias.tolist(), found.variance.tolist()
    ([-2.0], [-2.0], [0.0])
    >>> partition_risk(a, b).risk.tolist()  # pixels: ½‖a − b‖²
    [4.0]
    """
    maps_a, maps_b = checked_pair(maps_a, maps_b)
    num_averaged = checks.checked_count("num_averaged", num_averaged)
    if segments is not None:
        segments = checks.checked_segments(segments, maps_a.shape)
    rows = np.full((len(maps_a), 3), np.nan)
    for i, pair in enumerate(zip(maps_a, maps_b)):
        a, b = (np.asarray(one, np.float64) for one in pair)
        if np.isfinite(a).all() and np.isfinite(b).all():
            labels = None if segments is None else segments[i]
            rows[i] = _terms(a, b, labels)
    bias, variance, kept = rows.T
    variance = variance / num_averaged
    # Below 0 where the estimate finds no signal in the groups.
    signal, kept = bias + kept, np.maximum(kept, 0)
    energy = kept + variance
    gained = np.divide(kept**2, energy, out=np.zeros_like(kept), where=energy != 0)
    return PartitionRisk(bias + variance, bias, variance, signal - gained)


def _terms(a, b, labels):
    """⟨(I − κ)a, (I − κ)b⟩, ½‖κ(a − b)‖² and ⟨κa, κb⟩."""
    grouped_a, grouped_b = (
        one if labels is None else group_map(one, labels) for one in (a, b)
    )
    bias = np.sum((a - grouped_a) * (b - grouped_b))
    variance = np.sum((grouped_a - grouped_b) ** 2) / 2
    return bias, variance, np.sum(grouped_a * grouped_b)
