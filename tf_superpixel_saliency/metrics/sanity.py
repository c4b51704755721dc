"""The sanity check: whether a map changes as the model that it explains is destroyed.

Adebayo et al., 'Sanity checks for saliency maps' (2018). Edges that two partitions, or
a partition and an image, have in common can make a map look alike for any model: what
counts is the agreement above chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import keras
import numpy as np

from tf_superpixel_saliency.metrics.chance import ChanceCorrected
from tf_superpixel_saliency.metrics.randomization import randomize_layers

# Enough for the statistics of batch norms; more cost memory in one call.
_MOST_IMAGES = 64


class RandomizationCheck(NamedTuple):
    """Agreement with the trained model's maps, a row a layer, from the output down.

    Attributes:
        layers: names.
        similarity: (L, N) float64, as measured.
        chance, excess: (L, N) float64, NaN where the measure isn't chance-corrected.
    """

    layers: tuple[str, ...]
    similarity: np.ndarray
    chance: np.ndarray
    excess: np.ndarray


def randomization_check(
    explain: Callable,
    model: keras.Model,
    images,
    measure: Callable,
    order: str = "cascading",
    seed: int = 0,
    *,
    draw: str = "initializer",
    layers: Iterable[str] | None = None,
    copy: Callable[[keras.Model], keras.Model] | None = None,
) -> RandomizationCheck:
    """Similarity of maps before and after layers are randomised, layer by layer.

    A map that depends on the model loses its excess as layers go; one that keeps it
    shows the image, not the model.

    Args:
        explain: (model, images) → maps (N, H, W, C) or (N, H, W). It should explain
            one class throughout, say the trained model's prediction, and without any
            noise of its own that changes. The randomised model is one object with
            changing weights: a graph kept for it stays valid, weights copied from it
            don't.
        model: a built Keras model, left alone.
        images: (N, H, W, C), as `explain` takes them. The first 64 also give batch
            norms their statistics, see `randomize_layers`.
        measure: (maps of the trained model, maps of the randomised one) → (N,), or
            `ChanceCorrected`, as from `functools.partial(chance_corrected,
            structural_similarity, segments=segments)`, which takes maps before any
            grouping.
        order, seed, draw, layers, copy: as `randomize_layers`.

    Returns:
        `RandomizationCheck(layers, similarity, chance, excess)`.

    Raises:
        TypeError, ValueError: as `randomize_layers`; or a measure that returns
            something else.
    """
    trained = np.array(explain(model, images))
    names, rows = [], []
    steps = randomize_layers(
        model,
        order,
        seed,
        draw=draw,
        images=images[:_MOST_IMAGES],
        layers=layers,
        in_place=True,
        copy=copy,
    )
    for name, randomized in steps:
        maps = np.asarray(explain(randomized, images))
        names.append(name)
        rows.append(measured(measure, trained, maps))
    similarity, chance, excess = np.moveaxis(
        np.array(rows).reshape(-1, 3, len(trained)), 1, 0
    )
    return RandomizationCheck(tuple(names), similarity, chance, excess)


def measured(measure: Callable, maps_a, maps_b) -> np.ndarray:
    """(3, N): observed, chance and excess; the last two NaN for a plain measure.

    Raises:
        ValueError: the measure doesn't return a number a pair.
    """
    found = measure(maps_a, maps_b)
    if isinstance(found, ChanceCorrected):
        rows = [found.observed, found.chance, found.excess]
    else:
        unknown = np.full(len(maps_a), np.nan)
        rows = [found, unknown, unknown]
    if np.shape(rows[0]) != (len(maps_a),):
        raise ValueError(
            f"measure must return one number a pair, shape ({len(maps_a)},), but got "
            f"shape {np.shape(rows[0])}."
        )
    return np.array(rows, np.float64)
