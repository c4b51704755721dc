"""ROAR, remove and retrain: is what a map ranks high needed to learn the classes?

Hooker, Erhan, Kindermans, Kim, "A benchmark for interpretability methods in deep
neural networks" (NeurIPS 2019). The network is trained anew on images without their
top pixels, so that it has seen such images; but the shape of what is missing may tell
the class, and the masks of super-pixels have shapes: hence `masks_only`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.fills import fill_images
from tf_superpixel_saliency.metrics.ranking import pixel_orders
from tf_superpixel_saliency.ops import checks

FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)


class RoarCurve(NamedTuple):
    """Test accuracies of networks trained and tested without a share of the pixels.

    `fractions`: (F,) float64. `accuracies`: (F, num_seeds) float64.
    """

    fractions: np.ndarray
    accuracies: np.ndarray


def roar(
    train_and_score: Callable,
    train_images,
    train_labels,
    train_maps,
    test_images,
    test_labels,
    test_maps,
    *,
    fractions=FRACTIONS,
    fill=None,
    masks_only: bool = False,
    value_range=(0, 255),
    rank: str = "absolute",
    ties: str = "random",
    num_seeds: int = 3,
    seed: int = 0,
    cache: MutableMapping | None = None,
) -> RoarCurve:
    """Accuracy of networks trained without the pixels that a map ranks high.

    Maps of both sets come from one fixed network, made beforehand. A fast fall speaks
    for the map, as long as it is faster than that of the controls
    `random_order_maps` and `sobel_maps`, and as `masks_only=True` stays near chance.

    Args:
        train_and_score: (train_images, train_labels, test_images, test_labels, seed) →
            test accuracy after the last epoch. Trains from scratch, by the same recipe
            each time. (The code of ROAD takes the best test epoch, which is chosen on
            the test set.)
        train_images: (N, H, W, C).
        train_labels: (N,), passed on as they are.
        train_maps: (N, H, W, C) or (N, H, W). For a rank that needs segments, give
            the scores of `pixel_scores` as maps.
        test_images: (M, H, W, C).
        test_labels: (M,), passed on as they are.
        test_maps: (M, H, W, C) or (M, H, W).
        fractions: shares of the pixels removed, in [0, 1].
        fill: what removed pixels become, see `fill_images`; None for the mean colour
            of the training images, in both sets.
        masks_only: train and test on the masks alone: high where a pixel is kept, low
            where it is removed, in all channels.
        value_range: (low, high) of the images, used by `masks_only`.
        rank: "absolute" or "signed".
        ties: "random" (another order each seed) or "raster".
        num_seeds: networks a fraction.
        seed: of the first network and its ties; the next ones count up.
        cache: what was trained before, (fraction, seed) → accuracy, for this very
            data, these maps and settings. Read before, and written after each
            training: with a mapping that is kept on disk a run can be taken up again.

    Returns:
        RoarCurve.

    Raises:
        ValueError, TypeError: arguments of other shapes, types or ranges, before
            anything is trained; accuracies that are no numbers in [0, 1].
    """
    cache = {} if cache is None else cache
    num_seeds = checks.checked_count("num_seeds", num_seeds)
    seed = checks.checked_count("seed", seed, 0)
    fractions = [checks.checked_fraction("fraction", f, 0, 1, False) for f in fractions]
    sets = [checks.checked_images(x).numpy() for x in (train_images, test_images)]
    both_maps = (train_maps, test_maps)
    checks.checked_choice("rank", rank, ("absolute", "signed"))
    checks.checked_choice("ties", ties, ("random", "raster"))
    ranking = {"rank": rank, "ties": ties}
    for images, maps in zip(sets, both_maps):
        pixel_orders(maps, images.shape, **ranking)  # wrong ones are refused here
    if masks_only:
        sets = [np.full_like(images, value_range[1]) for images in sets]
        fill = np.full(sets[0].shape[-1], value_range[0])
    elif fill is None:
        fill = sets[0].mean(axis=(0, 1, 2), dtype=np.float64)

    def accuracy(fraction, number):
        arguments = {"fill": fill, "seed": number, **ranking}
        train, test = (
            remove_top(images, maps, fraction, **arguments)
            for images, maps in zip(sets, both_maps)
        )
        value = train_and_score(train, train_labels, test, test_labels, number)
        return checks.checked_fraction("accuracy", float(value), 0, 1, False)

    for fraction in fractions:
        for number in range(seed, seed + num_seeds):
            if (fraction, number) not in cache:
                cache[fraction, number] = accuracy(fraction, number)
    accuracies = [
        [cache[fraction, number] for number in range(seed, seed + num_seeds)]
        for fraction in fractions
    ]
    return RoarCurve(np.asarray(fractions), np.asarray(accuracies, np.float64))


def remove_top(
    images,
    maps,
    fraction: float,
    *,
    fill,
    rank: str = "absolute",
    ties: str = "random",
    segments=None,
    tie_maps=None,
    seed: int = 0,
) -> np.ndarray:
    """Images without the pixels that are highest in a map.

    Args:
        images: (N, H, W, C).
        maps: (N, H, W, C) signed maps or (N, H, W) heatmaps.
        fraction: share of the pixels to remove, in [0, 1], rounded to whole pixels.
        fill: what they become, see `fill_images`: the mean colour of the *training*
            images, (C,), for ROAR.
        rank: "absolute", "signed" or "scaled", see `pixel_scores`.
        ties: "random", "raster" or "map", see `pixel_orders`.
        segments: for rank="scaled".
        tie_maps: for ties="map".
        seed: of the random ties.

    Returns:
        (N, H, W, C) float32.

    Raises:
        ValueError, TypeError: arguments of other shapes, types or ranges.
    """
    images = checks.checked_images(images).numpy()
    masks = top_masks(
        maps,
        images.shape,
        fraction,
        rank=rank,
        ties=ties,
        segments=segments,
        tie_maps=tie_maps,
        seed=seed,
    )
    return np.where(masks[..., None], fill_images(images, fill), images)


def top_masks(maps, images_shape, fraction: float, *, seed: int = 0, **ranking):
    """The pixels that are highest in a map, as `remove_top` removes them.

    Args:
        maps: (N, H, W, C) or (N, H, W).
        images_shape: (N, H, W, C).
        fraction: share of the pixels, in [0, 1].
        seed: of the random ties.
        **ranking: `rank`, `ties`, `segments`, `tie_maps` of `pixel_orders`.

    Returns:
        (N, H, W) bool, with round(fraction·H·W) pixels each.

    Raises:
        ValueError, TypeError: as `pixel_orders`.
    """
    fraction = checks.checked_fraction("fraction", fraction, 0, 1, False)
    orders = pixel_orders(maps, images_shape, num_seeds=1, seed=seed, **ranking)
    batch, height, width = images_shape[:3]
    count = round(fraction * height * width)
    masks = np.zeros((batch, height * width), bool)
    for mask, order in zip(masks, orders):
        mask[order[0, :count]] = True
    return masks.reshape(batch, height, width)


def random_order_maps(images, seed: int = 0) -> np.ndarray:
    """Maps that rank pixels at random, each image's by itself: a control for ROAR.

    Random masks differ from image to image, so that a constant map with random ties,
    which removes the same pixels of all images, is no substitute. Use other seeds for
    training and test images.

    Args:
        images: (N, H, W, C), of which only the shape matters.
        seed: integer of at least 0; image number i depends on (seed, i).

    Returns:
        (N, H, W) float64 in [0, 1).

    Raises:
        ValueError: a seed below 0.
    """
    seed = checks.checked_count("seed", seed, 0)
    batch, *size = np.shape(images)[:3]
    return np.stack(
        [np.random.default_rng([seed, number]).random(size) for number in range(batch)]
    )


def sobel_maps(images) -> np.ndarray:
    """Edges as maps, which know nothing of any network: a control for ROAR.

    Args:
        images: (N, H, W, C).

    Returns:
        (N, H, W) float64, Σ_c of the length of the Sobel gradient, [1 2 1]ᵀ[−1 0 1]
        and its transpose, mirrored at the borders.

    Raises:
        ValueError, TypeError: as images of another shape or type do elsewhere.
    """
    from scipy.ndimage import correlate1d

    images = checks.checked_images(images).numpy().astype(np.float64)
    slopes = []
    for along, across in ((1, 2), (2, 1)):
        smooth = correlate1d(images, [1.0, 2.0, 1.0], across)
        slopes.append(correlate1d(smooth, [-1.0, 0.0, 1.0], along))
    return np.hypot(*slopes).sum(axis=-1)
