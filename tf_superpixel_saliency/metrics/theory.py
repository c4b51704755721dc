"""The paper's interpretation loss, and what its propositions say of it.

The loss needs f*, the network under the population's distribution, which nobody has.
Its stand-in here is the mean map of one or more reference networks (section 3.1's
expectation over the optimal solutions), which should have seen neither the images nor
any training image of the network at hand.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.grouping import group_map, group_mean
from tf_superpixel_saliency.metrics.pairs import checked_maps, checked_pair
from tf_superpixel_saliency.metrics.stability import l2_distance
from tf_superpixel_saliency.ops import checks

# Both losses of an image are sums of the same squares in another order.
_ROUNDING = 1e-9


class LossGap(NamedTuple):
    """Both sides of Propositions 1 and 2, each (N,).

    Attributes:
        loss: L(SG), float64.
        grouped_loss: L(g-SG), of the maps grouped.
        gap: L²(SG) − L²(g-SG), the left side of Proposition 2.
        variance: Σ_S |S|·Var(n|_S), its right side, n = map − reference.
        bound_holds: bool, grouped_loss ≤ loss (Proposition 1), up to rounding.
    """

    loss: np.ndarray
    grouped_loss: np.ndarray
    gap: np.ndarray
    variance: np.ndarray
    bound_holds: np.ndarray


def interpretation_loss(maps, reference_maps, normalized: bool = False) -> np.ndarray:
    """L(I, f, x) = ‖I(f, x) − I(f*, x)‖₂ over all H·W·C values, not squared (eq. 1).

    Args:
        maps: (N, H, W, C) or (N, H, W) real, maps of the network at hand.
        reference_maps: maps of the same images by a reference network, of the same
            shape; or a list or tuple of such arrays, one a network, or one array with
            the networks along a first axis: their mean stands for f* (section 3.1).
        normalized: whether the map and the mean reference are each divided by their
            own L2 norm first. Any partition, a random one too, lowers the plain loss
            (Proposition 1), so that only this form tells partitions apart.

    Returns:
        (N,) float64; NaN where a map is not finite or, when normalised, zero.

    Raises:
        ValueError: shapes that differ, no maps, or no reference.
    """
    return l2_distance(maps, mean_reference(reference_maps, np.ndim(maps)), normalized)


def interpretation_loss_gap(maps, reference_maps, segments) -> LossGap:
    """What grouping takes from the squared loss, in the two ways of Proposition 2.

    L²(SG) − L²(g-SG) = Σ_S |S|·Var(∇(f − f*)|_S), where Var divides by |S|, and a
    group is a (super-pixel, channel) pair. The left side is made from the two losses,
    with the two maps grouped apart, the right side from their difference: they agree
    where the grouping is right. Both propositions are identities of any grouping by
    fixed segments. They don't hold for a dynamic partition.

    Args:
        maps: (N, H, W, C) or (N, H, W) real, before any grouping.
        reference_maps: as `interpretation_loss`.
        segments: (H, W) or (N, H, W) non-negative integers in any numbering.

    Returns:
        `LossGap(loss, grouped_loss, gap, variance, bound_holds)`; NaN, and False,
        where a map is not finite.

    Raises:
        ValueError, TypeError: shapes that don't fit, or segments that aren't labels.
    """
    reference = mean_reference(reference_maps, np.ndim(maps))
    maps, reference = checked_pair(maps, reference)
    segments = checks.checked_segments(segments, maps.shape)
    rows = np.array(
        [_gap(*row) for row in zip(maps, reference, segments)], np.float64
    ).reshape(-1, 4)
    loss, grouped, gap, variance = rows.T
    return LossGap(loss, grouped, gap, variance, grouped <= loss * (1 + _ROUNDING))


def mean_reference(reference_maps, rank: int = 4) -> np.ndarray:
    """The mean map of one or more reference networks, float64.

    Args:
        reference_maps: see `interpretation_loss`.
        rank: of one network's array, 4 for maps or 3 for heatmaps.

    Returns:
        An array of that rank.
    """
    if not isinstance(reference_maps, (list, tuple)):
        reference_maps = checks.as_array(reference_maps)
        if reference_maps.ndim != rank + 1:
            reference_maps = [reference_maps]
    if not len(reference_maps):
        raise ValueError("reference_maps must have at least one network, but got none.")
    total = 0.0
    shape = None
    for maps in reference_maps:
        maps = checks.as_array(maps)
        checked_maps("each network's reference_maps", maps)
        if shape not in (None, maps.shape):
            raise ValueError(
                "All networks' reference_maps must have one shape, but got "
                f"{shape} and {maps.shape}."
            )
        shape = maps.shape
        total = total + maps.astype(np.float64)
    return total / len(reference_maps)


def _gap(one_map, reference, segments):
    """(L, grouped L, left side, right side) of one image."""
    if not (np.isfinite(one_map).all() and np.isfinite(reference).all()):
        return [np.nan] * 4
    labels = segments.ravel()
    one_map, reference = (
        np.asarray(one_map, np.float64),
        np.asarray(reference, np.float64),
    )
    difference = one_map - reference
    grouped = group_map(one_map, labels) - group_map(reference, labels)
    squared, grouped_squared = np.sum(difference**2), np.sum(grouped**2)
    deviations = difference - group_map(difference, labels)
    variances = group_mean(deviations.reshape(labels.size, -1) ** 2, labels)
    right = np.sum(np.bincount(labels)[:, None] * variances)
    return [
        np.sqrt(squared),
        np.sqrt(grouped_squared),
        squared - grouped_squared,
        right,
    ]
