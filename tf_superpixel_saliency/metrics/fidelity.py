"""Deletion and Insertion: how a prediction follows the pixels that a map ranks high.

Petsiuk, Das, Saenko, "RISE" (BMVC 2018). Which fill, rank, order among equals and
unit are used changes the numbers more than many methods do, so all are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.fills import fill_images
from tf_superpixel_saliency.metrics.prediction import checked_classes, predict_rows
from tf_superpixel_saliency.metrics.ranking import pixel_orders
from tf_superpixel_saliency.ops import checks


class PerturbationCurve(NamedTuple):
    """Probabilities of the explained class while pixels are changed in order.

    `areas`: (N,) float64, area under each curve by trapezoids over [0, 1].
    `curves`: (N, S + 1) float64, the mean over seeds.
    `fractions`: (S + 1,) float64, share of the pixels changed, from 0 to 1.
    """

    areas: np.ndarray
    curves: np.ndarray
    fractions: np.ndarray


def deletion(
    predict: Callable,
    images,
    maps,
    targets=None,
    *,
    fill="mean",
    rank: str = "absolute",
    ties: str = "random",
    segments=None,
    tie_maps=None,
    unit: int = 1,
    pixels_per_step: int = 224,
    num_seeds: int = 5,
    seed: int = 0,
    batch_size: int = 64,
) -> PerturbationCurve:
    """Probability of a class while the pixels highest in a map are removed first.

    A low area speaks for the map. A pixel goes with all its channels. The curve starts
    at the whole image and ends with none of it, and is scaled to [0, 1], so that areas
    are comparable between sizes and steps (Quantus' are not). Random ties, the
    default, are averaged over `num_seeds` orders; a constant map then gives the area
    of random orders. Images without ties are predicted once, not for every seed.

    Args:
        predict: (batch_size, H, W, C) float32 → (batch_size, classes) probabilities;
            always called with full batches.
        images: (N, H, W, C) in the range that `predict` takes.
        maps: (N, H, W, C) signed maps or (N, H, W) heatmaps.
        targets: (N,) class indices; None or −1 for the class predicted.
        fill: what removed pixels become: "mean" (mean colour of these images),
            "black", "blur" or an array, see `fill_images`. Give the mean colour of
            the dataset, (C,), where results shall not depend on the images at hand.
        rank: "absolute", "signed" or "scaled", see `pixel_scores`.
        ties: "random", "raster" or "map", see `pixel_orders`.
        segments: (H, W) or (N, H, W), for rank="scaled".
        tie_maps: like `maps`, for ties="map".
        unit: side of the square cells ranked as one; 1 for pixels.
        pixels_per_step: pixels removed between two predictions.
        num_seeds: orders that random ties are averaged over.
        seed: of the random ties.
        batch_size: images predicted together.

    Returns:
        PerturbationCurve of S = ⌈H·W / pixels_per_step⌉ steps.

    Raises:
        ValueError, TypeError: arguments of other shapes, types or ranges.
    """
    images, others, orders, targets = _prepared(
        predict,
        images,
        maps,
        targets,
        fill,
        batch_size,
        rank=rank,
        ties=ties,
        segments=segments,
        tie_maps=tie_maps,
        unit=unit,
        num_seeds=num_seeds,
        seed=seed,
    )
    return perturbation_curve(
        predict, images, others, orders, targets, pixels_per_step, batch_size
    )


def insertion(
    predict: Callable,
    images,
    maps,
    targets=None,
    *,
    fill="blur",
    rank: str = "absolute",
    ties: str = "random",
    segments=None,
    tie_maps=None,
    unit: int = 1,
    pixels_per_step: int = 224,
    num_seeds: int = 5,
    seed: int = 0,
    batch_size: int = 64,
) -> PerturbationCurve:
    """Probability of a class while the pixels highest in a map are shown first.

    A high area speaks for the map. The curve starts at `fill`, "blur" unless told
    otherwise ("black" is the blank image of the paper), and ends with the whole image.

    Args:
        predict: as in `deletion`, like all that follows.
        images: (N, H, W, C).
        maps: (N, H, W, C) or (N, H, W).
        targets: (N,); None or −1 for the class predicted for the whole image.
        fill: what the image is before its pixels are shown.
        rank: "absolute", "signed" or "scaled".
        ties: "random", "raster" or "map".
        segments: for rank="scaled".
        tie_maps: for ties="map".
        unit: side of the square cells ranked as one; 1 for pixels.
        pixels_per_step: pixels shown between two predictions.
        num_seeds: orders that random ties are averaged over.
        seed: of the random ties.
        batch_size: images predicted together.

    Returns:
        PerturbationCurve.

    Raises:
        ValueError, TypeError: as `deletion`.
    """
    images, others, orders, targets = _prepared(
        predict,
        images,
        maps,
        targets,
        fill,
        batch_size,
        rank=rank,
        ties=ties,
        segments=segments,
        tie_maps=tie_maps,
        unit=unit,
        num_seeds=num_seeds,
        seed=seed,
    )
    return perturbation_curve(
        predict, others, images, orders, targets, pixels_per_step, batch_size
    )


def perturbation_curve(
    predict: Callable,
    starts: np.ndarray,
    ends: np.ndarray,
    orders: Iterable[np.ndarray],
    targets: np.ndarray,
    pixels_per_step: int = 224,
    batch_size: int = 64,
) -> PerturbationCurve:
    """Predictions on the way from one image to another, pixel after pixel.

    What Deletion and Insertion have in common, for orders that the caller has: made
    once with `pixel_orders`, kept as a list, they serve several starts and fills.

    Args:
        predict: (batch_size, H, W, C) float32 → (batch_size, classes).
        starts: (N, H, W, C) float32.
        ends: (N, H, W, C) float32.
        orders: N arrays (k, H·W) of pixel numbers, k orders that are averaged.
        targets: (N,) class indices; here none is looked up for −1.
        pixels_per_step: pixels changed between two predictions.
        batch_size: images predicted together.

    Returns:
        PerturbationCurve.

    Raises:
        ValueError, TypeError: counts below 1, predictions of another shape, targets
            below 0 or of another shape or type.
    """
    targets = checks.checked_targets(targets, len(starts))
    if targets.min() < 0:
        raise ValueError(
            "perturbation_curve follows one class on the way: targets must be class "
            "indices of at least 0. Predict the images first."
        )
    step = checks.checked_count("pixels_per_step", pixels_per_step)
    pixels = starts.shape[1] * starts.shape[2]
    counts = np.append(np.arange(0, pixels, step), pixels)
    asked = []  # of each order: its image, and the steps that are predicted for it

    def rows():
        for number, (first, *others) in enumerate(orders):
            for order in (first, *others):
                steps = _steps_that_differ(order, first, counts)
                asked.append((number, steps))
                for image in _images_on_the_way(
                    starts[number], ends[number], order, counts[steps]
                ):
                    yield image, targets[number]

    values = predict_rows(predict, rows(), batch_size).probabilities
    curves = _mean_curves(asked, values, (len(starts), len(counts)))
    fractions = counts / pixels
    areas = 0.5 * (curves[:, 1:] + curves[:, :-1]) @ np.diff(fractions)
    return PerturbationCurve(areas, curves, fractions)


def _prepared(predict, images, maps, targets, fill, batch_size, **ranking):
    """Images, their fills, the orders of their pixels and the classes to follow."""
    images = checks.checked_images(images).numpy()
    orders = pixel_orders(maps, images.shape, **ranking)
    fills = fill_images(images, fill)
    return images, fills, orders, checked_classes(predict, images, targets, batch_size)


def _images_on_the_way(start, end, order, counts):
    """The same array again and again, with counts[i] pixels of `order` changed."""
    current = start.copy()
    pixels = current.reshape(-1, current.shape[-1])
    end_pixels = end.reshape(pixels.shape)
    done = 0
    for count in counts:
        changed = order[done:count]
        pixels[changed] = end_pixels[changed]
        done = count
        yield current


def _steps_that_differ(order, first, counts):
    """The steps at which `order` has changed other pixels than `first` has.

    All of them for the first order itself. Orders of one map differ inside ties only,
    so two of them agree wherever a step ends between ties.
    """
    if order is first:
        return np.arange(len(counts))
    places = np.empty(len(order), np.int64)
    places[first] = np.arange(len(first))
    reached = np.append(0, np.maximum.accumulate(places[order]) + 1)
    return np.flatnonzero(reached[counts] != counts)


def _mean_curves(asked, values, shape):
    """Curves (N, S + 1), means over the orders of each image."""
    sums, orders = np.zeros(shape), np.zeros(shape[0])
    first, done = None, 0
    for number, steps in asked:
        part = values[done : done + len(steps)]
        done += len(steps)
        if not orders[number]:
            first = part
        curve = first.copy()
        curve[steps] = part
        sums[number] += curve
        orders[number] += 1
    return sums / orders[:, None]
