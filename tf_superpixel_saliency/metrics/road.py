"""ROAD, remove and debias: accuracy where the pixels a map ranks high are imputed.

Rong, Leemann, Borisov, Kasneci, Kasneci, "A consistent and efficient evaluation
strategy for attribution methods" (ICML 2022). Pixels are filled in from their
neighbours, so that the shape of what was removed tells the network little.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.imputation import impute
from tf_superpixel_saliency.metrics.prediction import checked_classes, predict_rows
from tf_superpixel_saliency.metrics.ranking import pixel_orders
from tf_superpixel_saliency.ops import checks

FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# Largest error of the imputation, in ranges of the image: a quarter of a grey level.
_TOLERANCE = 1e-3
# The last word of the key of the noise, which random orders of pixels don't have.
_NOISE_STREAM = 1


class RoadCurve(NamedTuple):
    """What the network says of images without a share of their pixels.

    `fractions`: (F,) float64, share of the pixels imputed.
    `accuracy`, `probability`: (F,) float64, means over the images.
    `correct`: (N, F) float64, share of the seeds at which the label was predicted.
    `probabilities`: (N, F) float64, of the explained class, mean over the seeds.
    """

    fractions: np.ndarray
    accuracy: np.ndarray
    probability: np.ndarray
    correct: np.ndarray
    probabilities: np.ndarray


def road(
    predict: Callable,
    images,
    maps,
    labels,
    targets=None,
    *,
    fractions=FRACTIONS,
    order: str = "morf",
    imputation_noise: float = 0.01,
    value_range=(0, 255),
    rank: str = "absolute",
    ties: str = "random",
    segments=None,
    tie_maps=None,
    num_seeds: int = 5,
    seed: int = 0,
    batch_size: int = 64,
) -> RoadCurve:
    """Accuracy and probability while a map's pixels are imputed.

    Most relevant first ("morf"): a fast fall speaks for the map. Least relevant first
    ("lerf"): a slow one does. A fraction is what is *removed* in both; the authors'
    code keeps that share for "lerf". Their probability curve is that of class 0
    whatever the class explained, and Quantus' stops after its first batch and refuses
    colour images; neither is so here.

    Args:
        predict: (batch_size, H, W, C) float32 → (batch_size, classes) probabilities;
            always called with full batches.
        images: (N, H, W, C) in `value_range`.
        maps: (N, H, W, C) signed maps or (N, H, W) heatmaps.
        labels: (N,) true classes, for the accuracy.
        targets: (N,) explained classes, for the probability; None or −1 for the class
            predicted for the whole image.
        fractions: shares of the pixels, in [0, 1), rounded to whole pixels.
        order: "morf" or "lerf".
        imputation_noise: standard deviation of the noise added to imputed pixels, as a
            fraction of `value_range`; without it the network could tell them from
            their smoothness. Values may leave the range, as the authors' do.
        value_range: (low, high) of the images.
        rank: "absolute", "signed" or "scaled", see `pixel_scores`.
        ties: "random", "raster" or "map", see `pixel_orders`.
        segments: for rank="scaled".
        tie_maps: for ties="map".
        num_seeds: draws of noise and random ties that are averaged.
        seed: of both; the same noise for all images, maps and methods.
        batch_size: images predicted together.

    Returns:
        RoadCurve.

    Raises:
        ValueError, TypeError: arguments of other shapes, types or ranges.
    """
    images = checks.checked_images(images).numpy()
    labels = _checked_labels(labels, len(images))
    checks.checked_choice("order", order, ("morf", "lerf"))
    counts = _counts(fractions, images[0, ..., 0].size)
    scale = checks.checked_number("imputation_noise", imputation_noise, 0.0)
    scale *= float(value_range[1]) - float(value_range[0])
    orders = pixel_orders(
        maps,
        images.shape,
        rank=rank,
        ties=ties,
        segments=segments,
        tie_maps=tie_maps,
        num_seeds=num_seeds,
        seed=seed,
    )
    noise = _noise(images.shape[1:], num_seeds, seed, scale)
    targets = checked_classes(predict, images, targets, batch_size)

    def rows():
        for image, image_orders, target in zip(images, orders, targets):
            if order == "lerf":
                image_orders = image_orders[:, ::-1]
            for imputed in _imputed(image, image_orders, counts, noise):
                yield imputed, target

    found = predict_rows(predict, rows(), batch_size)
    shape = (len(images), len(counts), num_seeds)
    hits = found.predicted.reshape(shape) == labels[:, None, None]
    correct = hits.mean(axis=2)
    probabilities = found.probabilities.reshape(shape).mean(axis=2)
    return RoadCurve(
        np.asarray(fractions, np.float64),
        correct.mean(axis=0),
        probabilities.mean(axis=0),
        correct,
        probabilities,
    )


def _imputed(image, orders, counts, noise):
    """The image without its first pixels, for each count and draw of noise."""
    height, width = image.shape[:2]
    masks = np.zeros((len(counts), len(orders), height * width), bool)
    for index, count in enumerate(counts):
        for number, order in enumerate(orders):
            masks[index, number, order[:count]] = True
    masks = masks.reshape(*masks.shape[:2], height, width)

    def copies(count):
        return np.broadcast_to(image, (count, *image.shape))

    # Orders differ in some pixels of one tie, if at all: one solution starts the next.
    first = impute(copies(len(counts)), masks[:, 0], _TOLERANCE)
    filled = np.repeat(first[:, None], len(orders), axis=1)
    other = (masks != masks[:, :1]).any(axis=(2, 3))
    starts = filled[other]
    filled[other] = impute(copies(len(starts)), masks[other], _TOLERANCE, starts)
    for index in range(len(counts)):
        for number, draw in enumerate(noise):
            which = index, number % len(orders)
            # Channels repeated, not broadcast over: three values a loop are slow.
            mask = np.repeat(masks[which], image.shape[2], axis=1)
            yield filled[which] + draw * mask.reshape(image.shape)


def _noise(shape, num_seeds, seed, scale):
    """One draw a seed, set by the seed and the shape alone."""
    keys = ([seed, number, _NOISE_STREAM] for number in range(num_seeds))
    generators = map(np.random.default_rng, keys)
    return [
        (scale * rng.standard_normal(shape)).astype(np.float32) for rng in generators
    ]


def _counts(fractions, pixels):
    """Fractions as whole numbers of pixels, of which one at least remains."""
    values = np.atleast_1d(np.asarray(fractions, np.float64))
    if values.ndim != 1 or not values.size or not ((0 <= values) & (values < 1)).all():
        raise ValueError(
            "fractions must be numbers in [0, 1), such as 0.1 to 0.9: imputation needs "
            f"pixels to start from. Got {fractions!r}."
        )
    return np.minimum(np.round(values * pixels).astype(int), pixels - 1)


def _checked_labels(labels, batch):
    labels = checks.as_array(labels)
    if labels.dtype.kind not in "iu" or labels.shape != (batch,):
        raise ValueError(
            f"labels must be {batch} true classes, integers of shape ({batch},), but "
            f"got {labels.dtype} of shape {labels.shape}."
        )
    return labels
