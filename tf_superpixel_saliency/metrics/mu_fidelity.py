"""μFidelity: does the prediction fall with the importance of what is hidden?

Bhatt, Weller, Moura, "Evaluating and aggregating feature-based model explanations"
(IJCAI 2020), on the cells of a grid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.fills import fill_images
from tf_superpixel_saliency.metrics.prediction import checked_classes, predict_rows
from tf_superpixel_saliency.metrics.ranking import pixel_scores
from tf_superpixel_saliency.ops import checks

# Means over subsets that are equal on paper differ by rounding, at most this much
# relative to the largest: neither a spread nor an order is read from it.
_DIGITS = 12


class MuFidelity(NamedTuple):
    """Correlation of drops and importances over subsets, 0 where there is none.

    `pearson`, `spearman`: (N,) float64 in [−1, 1].
    `undefined`: (N,) bool, constant importances or drops: the 0 stands for no answer.
    """

    pearson: np.ndarray
    spearman: np.ndarray
    undefined: np.ndarray


class SubsetDrops(NamedTuple):
    """What hiding subsets of cells takes from the prediction, whatever the map.

    `drops`: (N, K) float64, probability of the image less that without subset k.
    `subsets`: (K, grid²) bool, the cells of each subset, row by row.
    """

    drops: np.ndarray
    subsets: np.ndarray


def mu_fidelity(
    predict: Callable,
    images,
    maps,
    targets=None,
    *,
    grid: int = 9,
    subset_fraction: float = 0.2,
    num_subsets: int = 200,
    fill="mean",
    importance: str = "absolute",
    seed: int = 0,
    batch_size: int = 64,
) -> MuFidelity:
    """Correlation between the drop in probability and the importance of what is hidden.

    Subsets have exactly one number of cells. Where cells are drawn one by one, as
    xplique does, the size of a subset decides both its drop and its summed
    importance, and a constant map reaches 0.7 on a linear model.

    For several maps of the same images call `subset_drops` once and
    `correlate_drops` for each: predictions do not depend on the map.

    Args:
        predict: (batch_size, H, W, C) float32 → (batch_size, classes) probabilities;
            always called with full batches.
        images: (N, H, W, C) in the range that `predict` takes.
        maps: (N, H, W, C) signed maps or (N, H, W) heatmaps.
        targets: (N,) class indices; None or −1 for the class predicted.
        grid: cells a side, resized to the image by nearest neighbour.
        subset_fraction: share of the cells in a subset, rounded to whole cells.
        num_subsets: K.
        fill: what hidden pixels become, see `fill_images`.
        importance: mean over the subset's pixels of Σ_c |map|, "absolute", or of
            Σ_c map, "signed".
        seed: of the subsets, which are the same for all images, maps and methods.
        batch_size: images predicted together.

    Returns:
        MuFidelity.

    Raises:
        ValueError, TypeError: arguments of other shapes, types or ranges.
    """
    checks.checked_choice("importance", importance, ("absolute", "signed"))
    images = checks.checked_images(images).numpy()
    pixel_scores(maps, images.shape)  # a wrong shape costs no prediction
    drops = subset_drops(
        predict,
        images,
        targets,
        grid=grid,
        subset_fraction=subset_fraction,
        num_subsets=num_subsets,
        fill=fill,
        seed=seed,
        batch_size=batch_size,
    )
    return correlate_drops(drops, maps, importance=importance)


def subset_drops(
    predict: Callable,
    images,
    targets=None,
    *,
    grid: int = 9,
    subset_fraction: float = 0.2,
    num_subsets: int = 200,
    fill="mean",
    seed: int = 0,
    batch_size: int = 64,
) -> SubsetDrops:
    """The part of `mu_fidelity` that needs the network and not the map.

    Args: as `mu_fidelity`.

    Returns:
        SubsetDrops.

    Raises:
        ValueError, TypeError: as `mu_fidelity`.
    """
    images = checks.checked_images(images).numpy()
    grid = checks.checked_count("grid", grid, 2)
    cells = _cells(images.shape[1:3], grid)
    subsets = draw_subsets(grid * grid, subset_fraction, num_subsets, seed)
    fills = fill_images(images, fill)
    targets = checked_classes(predict, images, targets, batch_size)
    hidden = np.repeat(subsets[:, cells], images.shape[-1], axis=1)
    hidden = hidden.reshape(-1, *images.shape[1:])

    def rows():
        for image, replacement, target in zip(images, fills, targets):
            yield image, target
            replacement = np.ascontiguousarray(replacement)  # 30 times as fast below
            current = np.empty_like(image)
            for mask in hidden:
                np.copyto(current, image)
                np.copyto(current, replacement, where=mask)
                yield current, target

    values = predict_rows(predict, rows(), batch_size).probabilities
    values = values.reshape(len(images), -1)
    return SubsetDrops(values[:, :1] - values[:, 1:], subsets)


def correlate_drops(
    drops: SubsetDrops, maps, *, importance: str = "absolute"
) -> MuFidelity:
    """The part of `mu_fidelity` that needs the map and not the network.

    Args:
        drops: what `subset_drops` returned.
        maps: (N, H, W, C) signed maps or (N, H, W) heatmaps of the same images.
        importance: "absolute" or "signed".

    Returns:
        MuFidelity.

    Raises:
        ValueError, TypeError: another number of maps, or another importance.
    """
    checks.checked_choice("importance", importance, ("absolute", "signed"))
    shape = (len(drops.drops), *np.shape(maps)[1:3])
    scores = pixel_scores(maps, shape, importance)
    subsets = drops.subsets.astype(np.float64)
    cells = _cells(shape[1:], round(subsets.shape[1] ** 0.5))
    areas = np.bincount(cells, minlength=subsets.shape[1])
    sums = [
        np.bincount(cells, row, minlength=len(areas))
        for row in scores.reshape(len(scores), -1)
    ]
    means = np.stack(sums) @ subsets.T / (subsets @ areas)
    means = _rounded(means, np.abs(scores).max(axis=(1, 2)))
    return MuFidelity(
        _correlation(means, drops.drops),
        _correlation(_average_ranks(means), _average_ranks(drops.drops)),
        (np.ptp(means, axis=1) == 0) | (np.ptp(drops.drops, axis=1) == 0),
    )


def draw_subsets(cells: int, fraction: float, count: int, seed: int) -> np.ndarray:
    """`count` random subsets of one size: (count, cells) bool.

    Raises:
        ValueError: a fraction that leaves no cell in, or none out.
    """
    fraction = checks.checked_fraction("subset_fraction", fraction)
    count = checks.checked_count("num_subsets", count, 2)
    rng = np.random.default_rng(checks.checked_count("seed", seed, 0))
    size = round(fraction * cells)
    if not 0 < size < cells:
        raise ValueError(
            f"subset_fraction={fraction} of {cells} cells is {size}: a subset needs at "
            "least one cell, and one outside. Try 0.2, or a finer grid."
        )
    places = np.argsort(rng.random((count, cells)), axis=1)
    return places < size


def _cells(size, grid):
    """(H·W,) the grid cell of each pixel, by nearest neighbour of pixel centres."""
    if min(size) < grid:
        raise ValueError(
            f"grid must be at most the image's shorter side, {min(size)}, so that each "
            f"cell has a pixel, but got {grid}."
        )
    rows, columns = ((2 * np.arange(n) + 1) * grid // (2 * n) for n in size)
    return (rows[:, None] * grid + columns).ravel()


def _rounded(means, scales):
    """Means without the last digits, in units of each image's largest score."""
    scales = np.where(scales > 0, scales, 1.0)[:, None]
    return np.round(means / scales, _DIGITS)


def _average_ranks(values):
    """Rows of ranks, equals sharing the mean of theirs."""
    from scipy.stats import rankdata

    return rankdata(values, axis=1)


def _correlation(left, right):
    """Pearson's correlation of rows, 0 where either is constant."""
    left, right = (v - v.mean(axis=1, keepdims=True) for v in (left, right))
    norms = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    defined = (np.ptp(left, axis=1) > 0) & (np.ptp(right, axis=1) > 0)
    products = (left * right).sum(axis=1)
    return np.where(defined, products / np.where(defined, norms, 1.0), 0.0)
