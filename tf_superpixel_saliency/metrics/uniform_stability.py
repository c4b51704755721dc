"""Uniform stability of maps, Definition 3, and what grouping does to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.grouping import group_map
from tf_superpixel_saliency.metrics.pairs import checked_pair
from tf_superpixel_saliency.metrics.stability import l2_distance
from tf_superpixel_saliency.ops import checks


class UniformStability(NamedTuple):
    """Estimates of ε of Definition 3.

    Attributes:
        epsilon: the largest over images of the mean over pairs.
        lower_bound: the same without the reward for luck, see `uniform_stability`.
        image: number of the image where `epsilon` is reached.
        distances: (P, N) float64, one row a pair of networks.
        undefined: number of distances that are NaN, left out of the means.
    """

    epsilon: float
    lower_bound: float
    image: int
    distances: np.ndarray
    undefined: int


class GroupedStability(NamedTuple):
    """Uniform stability of the same pairs by pixels and by groups (Proposition 3).

    Attributes:
        pixels: `UniformStability` of the maps as they are.
        groups: of the grouped maps.
        ratio: ε' / ε.
        bound_holds: ε' ≤ ε.
    """

    pixels: UniformStability
    groups: UniformStability
    ratio: float
    bound_holds: bool


def uniform_stability(pairs: Iterable, normalized: bool = False) -> UniformStability:
    """sup_x E[‖I(f₁, x) − I(f₂, x)‖], Definition 3, over the images and pairs at hand.

    f₁ and f₂ are trained on sets that differ in one image. `epsilon`, the largest mean
    distance of any image, misses images that aren't at hand, but the largest of noisy
    means is too high on average. `lower_bound` finds the image on one half of the pairs
    and measures it on the other half, both ways around, and so is at most sup_x E[…] on
    average.

    Pairs trained from one seed show what one image changes; those trained from
    independent seeds have a floor which is not zero, whatever the training sets.

    Args:
        pairs: (maps_a, maps_b) of each pair of networks, (N, H, W, C) or (N, H, W),
            always of the same images. A generator is read one pair at a time.
        normalized: whether each map is divided by its own L2 norm first.

    Returns:
        `UniformStability(epsilon, lower_bound, image, distances, undefined)`.

    Raises:
        ValueError: no pairs, shapes that don't fit, or no distance that is defined.
    """
    rows = [l2_distance(a, b, normalized) for a, b in pairs]
    return _largest_mean(rows)


def grouped_stability(
    pairs: Iterable, segments, normalized: bool = False
) -> GroupedStability:
    """Proposition 3 on paired estimates: ε' of the grouped maps beside ε.

    Without `normalized` ε' ≤ ε holds for any partition, a random one too, since each
    distance falls (Proposition 1): it can't be contradicted, and says nothing of the
    partition. With it, maps are grouped, then divided by their own norm, and ε' can be
    above ε. Either way the bound of Corollary 1 falls with ε, not the error itself.

    Args:
        pairs: as `uniform_stability`, maps before any grouping.
        segments: (H, W) or (N, H, W) non-negative integers in any numbering.
        normalized: whether each map is divided by its own L2 norm.

    Returns:
        `GroupedStability(pixels, groups, ratio, bound_holds)`.

    Raises:
        ValueError, TypeError: as `uniform_stability`, or segments that aren't labels.
    """
    pixel_rows, group_rows = [], []
    for a, b in pairs:
        a, b = checked_pair(a, b)
        labels = checks.checked_segments(segments, a.shape)
        pixel_rows.append(l2_distance(a, b, normalized))
        group_rows.append(
            l2_distance(_grouped(a, labels), _grouped(b, labels), normalized)
        )
    pixels, groups = _largest_mean(pixel_rows), _largest_mean(group_rows)
    ratio = groups.epsilon / pixels.epsilon if pixels.epsilon > 0 else np.nan
    return GroupedStability(
        pixels,
        groups,
        float(ratio),
        bool(groups.epsilon <= pixels.epsilon * (1 + 1e-9)),
    )


def _grouped(maps, segments):
    maps = np.asarray(maps, np.float64)
    return np.stack([group_map(one, labels) for one, labels in zip(maps, segments)])


def _largest_mean(rows):
    if not rows:
        raise ValueError("pairs must have at least one pair of maps, but got none.")
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            "All pairs must be maps of the same images, but their numbers are "
            f"{sorted({len(row) for row in rows})}."
        )
    distances = np.array(rows)
    means = _means(distances)
    if np.isnan(means).all():
        raise ValueError(
            "No distance is defined: the maps of all images are zero or not finite, or "
            "there are no images."
        )
    image = int(np.nanargmax(means))
    halves = distances[0::2], distances[1::2]
    crossed = [_crossed(*halves), _crossed(*halves[::-1])]
    undefined = int(np.isnan(distances).sum())
    return UniformStability(
        float(means[image]), float(np.mean(crossed)), image, distances, undefined
    )


def _crossed(choosing, measuring):
    """The mean over the second half at the image whose mean is largest in the first."""
    means, others = _means(choosing), _means(measuring)
    both = ~np.isnan(means) & ~np.isnan(others)
    if not both.any():
        return np.nan
    return others[np.argmax(np.where(both, means, -np.inf))]


def _means(distances):
    """Means over pairs of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(distances)
    count = known.sum(axis=0)
    total = np.where(known, distances, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
