"""The order in which a map takes its pixels, and what happens inside a tie.

A super-pixel map is all ties: every pixel of a group has the same value, so a score
that follows the map's order depends on how ties are broken. Elsewhere they follow an
unstable sort; here the rule is an argument, and the random one is averaged.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tf_superpixel_saliency.ops import checks

RANKS = ("absolute", "signed", "scaled")
TIES = ("random", "raster", "map")


def pixel_scores(maps, images_shape, rank: str = "absolute", segments=None):
    """One number a pixel, by which pixels are ranked.

    Args:
        maps: (N, H, W, C) signed maps or (N, H, W) heatmaps.
        images_shape: (N, H, W, C) of the images; the channels of maps may differ.
        rank: "absolute" for Σ_c |map|, "signed" for Σ_c map, "scaled" for
            √|S|·Σ_c |map|, |S| the pixels of the group: the mean of |S| independent
            values goes as 1/√|S|, so that "absolute" puts slivers first.
        segments: (H, W) or (N, H, W), what "scaled" needs.

    Returns:
        (N, H, W) float64.

    Raises:
        ValueError, TypeError: no finite numbers, shapes that don't match, another
            rank, or "scaled" without segments.
    """
    checks.checked_choice("rank", rank, RANKS)
    maps = checked_maps(maps, images_shape)
    if rank == "signed":
        return maps.sum(axis=-1)
    scores = np.abs(maps).sum(axis=-1)
    if rank == "absolute":
        return scores
    if segments is None:
        raise ValueError(
            'rank="scaled" multiplies by the root of the group sizes and needs '
            "segments=, the partition that the maps were grouped by."
        )
    labels = checks.checked_segments(segments, images_shape)
    sizes = [np.bincount(image.ravel())[image] for image in labels]
    return scores * np.sqrt(np.stack(sizes))


def pixel_orders(
    maps,
    images_shape,
    *,
    rank: str = "absolute",
    ties: str = "random",
    segments=None,
    tie_maps=None,
    unit: int = 1,
    num_seeds: int = 5,
    seed: int = 0,
) -> Iterator[np.ndarray]:
    """The pixels of each image, the highest first, one order a seed.

    Ties are exact: pixels of a group count as equal if their values are, as those of
    this package's grouped maps are. The random arrangement depends on the seed and
    the size alone, so that it is the same for every image, map and method.

    Args:
        maps: (N, H, W, C) signed maps or (N, H, W) heatmaps.
        images_shape: (N, H, W, C) of the images.
        rank: as in `pixel_scores`.
        ties: order among equals: "random", "raster" (rows from the top), or "map",
            by Σ_c |tie_maps| (Σ_c tie_maps for "signed" ranks), then raster.
        segments: the partition, which rank="scaled" needs.
        tie_maps: maps that "map" needs, such as the ungrouped gradient.
        unit: side of the square cells that are ranked as one, by their mean score;
            1 for single pixels. Cells start at the upper left, those at the far edges
            may be smaller, and pixels inside a cell go in raster order.
        num_seeds: orders for ties="random", each by an arrangement of its own.
        seed: integer of at least 0.

    Returns:
        Iterator over the N images of (k, H·W) int64, indices of pixels in raster
        numbering: k is `num_seeds` where an image has random ties, else 1.

    Raises:
        ValueError, TypeError: as `pixel_scores`; another `ties`, or "map" without
            `tie_maps`.
    """
    checks.checked_choice("ties", ties, TIES)
    num_seeds = checks.checked_count("num_seeds", num_seeds)
    seed = checks.checked_count("seed", seed, 0)
    cells = _cells(images_shape[1:3], checks.checked_count("unit", unit))
    scores = _cell_means(pixel_scores(maps, images_shape, rank, segments), cells)
    if ties == "map":
        if tie_maps is None:
            raise ValueError(
                'ties="map" needs tie_maps=, maps that tell equal pixels apart, such '
                "as the gradient before it was grouped."
            )
        tie_rank = "signed" if rank == "signed" else "absolute"
        breakers = _cell_means(pixel_scores(tie_maps, images_shape, tie_rank), cells)
        arrangements = ([_descending(row)] for row in breakers)
    else:
        units = scores.shape[1]
        fixed = (
            random_arrangements(units, num_seeds, seed)
            if ties == "random"
            else [np.arange(units)]
        )
        arrangements = (fixed for _ in scores)
    return (
        _spread(_orders_of(row, starts), cells)
        for row, starts in zip(scores, arrangements)
    )


def random_arrangements(count: int, num_seeds: int, seed: int) -> list[np.ndarray]:
    """`num_seeds` random orders of `count` things, set by (seed, number) alone."""
    return [
        np.random.default_rng([seed, number]).permutation(count)
        for number in range(num_seeds)
    ]


def checked_maps(maps, images_shape, name: str = "maps") -> np.ndarray:
    """Maps as (N, H, W, channels) float64, or an error that says what is wrong."""
    array = checks.as_array(maps)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be real numbers of shape (N, H, W, C) or (N, H, W), but got "
            f"{array.dtype} of shape {array.shape}."
        )
    wanted = tuple(images_shape[:3])
    if array.ndim not in (3, 4) or array.shape[:3] != wanted or not array.size:
        raise ValueError(
            f"{name} must have shape {wanted}, or {wanted} and channels, as the images "
            f"have, but got {array.shape}. Resize them, or take the same images."
        )
    array = array.astype(np.float64).reshape(*wanted, -1)
    finite = np.isfinite(array).all(axis=(1, 2, 3))
    if not finite.all():
        raise ValueError(
            f"{name} must be finite, but number {np.flatnonzero(~finite)[0]} holds NaN "
            "or infinite values. Leave images out whose explanation failed (their "
            "status is not 0)."
        )
    return array


def _cells(size, unit):
    """(H·W,) the square cell of each pixel; None for single pixels."""
    if unit == 1:
        return None
    rows, columns = (np.arange(length) // unit for length in size)
    return (rows[:, None] * (columns[-1] + 1) + columns).ravel()


def _cell_means(scores, cells):
    """(N, H, W) → (N, units), the mean score of each cell."""
    flat = scores.reshape(len(scores), -1)
    if cells is None:
        return flat
    areas = np.bincount(cells)
    # As differences from one pixel of the cell, so that cells inside a group, whose
    # values are all the same, have that very value: ties stay ties.
    anchor = flat[:, np.unique(cells, return_index=True)[1]]
    rest = flat - anchor[:, cells]
    sums = np.stack([np.bincount(cells, row) for row in rest])
    return anchor + sums / areas


def _orders_of(scores, arrangements):
    """Descending orders, equals as each arrangement has them: (k, units)."""
    first = _descending(scores, arrangements[0])
    ranked = scores[first]
    if (ranked[1:] != ranked[:-1]).all():
        return first[None]
    others = [_descending(scores, start) for start in arrangements[1:]]
    return np.stack([first, *others])


def _descending(scores, arrangement=None):
    """Indices from the highest score down, equals in the arrangement's order."""
    if arrangement is None:
        return np.argsort(-scores, kind="stable")
    return arrangement[np.argsort(-scores[arrangement], kind="stable")]


def _spread(orders, cells):
    """Orders of cells as orders of their pixels."""
    if cells is None:
        return orders
    places = np.argsort(orders, axis=1)
    return np.argsort(places[:, cells], axis=1, kind="stable")
