"""Pairs of maps of one image, by a model that was trained on it and one that wasn't."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.ops import checks


class Pairs(NamedTuple):
    """Pairs of models on one image each, in the order of the images.

    Attributes:
        distances: (M,) float64, NaN where the distance has no value.
        images: (M,) index of the image.
        unseen: (M,) index of the model that was trained without it.
        seen: (M,) index of the model that was trained on it.
    """

    distances: np.ndarray
    images: np.ndarray
    unseen: np.ndarray
    seen: np.ndarray


def fold_pairs(
    maps, predictions, labels, folds, distance, batch_size
) -> tuple[Pairs, Pairs]:
    """(S=, S≠) of `mege_and_reco`, which says what its arguments are.

    The pairs come in the order of the images, then of the models that saw them,
    whatever `batch_size` is.
    """
    predictions, labels, folds = _checked(predictions, labels, folds)
    batch_size = checks.checked_count("batch_size", batch_size)
    maps = maps if callable(maps) else _lookup(maps, predictions.shape)
    right = predictions == labels
    chunks = []
    for fold in range(len(right)):
        members = np.flatnonzero(folds == fold)
        for start in range(0, members.size, batch_size):
            images = members[start : start + batch_size]
            chunks.extend(_pairs_of_fold(maps, distance, right, fold, images))
    pairs = Pairs(*map(np.concatenate, zip(*chunks)))
    pairs = _select(pairs, np.lexsort((pairs.seen, pairs.images)))
    both = right[pairs.unseen, pairs.images] & right[pairs.seen, pairs.images]
    return _select(pairs, both), _select(pairs, ~both)


def _pairs_of_fold(maps, distance, right, fold, images):
    """`Pairs` of some images of a fold, one for each model that saw them.

    A map is asked for only where one of the pair is right.
    """
    images = images[right[:, images].any(axis=0)]
    unseen_maps = _maps_of(maps, fold, images)
    for model in range(len(right)):
        if model == fold:
            continue
        rows = np.flatnonzero(right[fold, images] | right[model, images])
        seen_maps = _maps_of(maps, model, images[rows])
        distances = np.zeros(0)
        if rows.size:
            distances = np.asarray(distance(unseen_maps[rows], seen_maps), np.float64)
        if distances.shape != rows.shape:
            raise ValueError(
                f"distance must return one number a pair, shape ({rows.size},), but "
                f"got shape {distances.shape}. Sum over the axes of a map inside it."
            )
        yield Pairs(
            distances,
            images[rows],
            np.full(rows.size, fold),
            np.full(rows.size, model),
        )


def _maps_of(maps, model, images):
    if not images.size:
        return np.zeros(0)
    found = np.asarray(maps(model, images))
    if len(found) != images.size:
        raise ValueError(
            f"maps(model, images) must return one map an image, {images.size} of them, "
            f"but got shape {found.shape}."
        )
    return found


def _select(pairs, chosen):
    return Pairs(*(array[chosen] for array in pairs))


def _lookup(maps, shape):
    """A callable (model, images) → maps out of an array (k, N, …)."""
    maps = checks.as_array(maps)
    if maps.ndim not in (4, 5) or maps.shape[:2] != shape:
        raise ValueError(
            f"maps must be an array of shape ({shape[0]}, {shape[1]}, H, W) or "
            f"({shape[0]}, {shape[1]}, H, W, C), one map a model and image, or a "
            f"callable (model, images) → maps, but got shape {maps.shape}."
        )
    return lambda model, images: maps[model, images]


def _checked(predictions, labels, folds):
    arrays = [checks.as_array(values) for values in (predictions, labels, folds)]
    for name, array in zip(("predictions", "labels", "folds"), arrays):
        if array.dtype.kind not in "iu":
            raise TypeError(
                f"{name} must be integers, but got {array.dtype}. Probabilities become "
                "classes by np.argmax(probabilities, axis=-1)."
            )
    predictions, labels, folds = arrays
    if predictions.ndim != 2 or len(predictions) < 2:
        raise ValueError(
            "predictions must have shape (k, N), one row for each of at least two "
            f"models, but got shape {predictions.shape}."
        )
    models, count = predictions.shape
    if not count:
        raise ValueError(
            "predictions must be those of at least one image, but got none."
        )
    for name, array in (("labels", labels), ("folds", folds)):
        if array.shape != (count,):
            raise ValueError(
                f"{name} must have shape ({count},), one an image, but got shape "
                f"{array.shape}."
            )
    if count and not (0 <= folds.min() and folds.max() < models):
        raise ValueError(
            f"folds must be 0 to {models - 1}, the model trained without the image, "
            f"but got {folds.min()} to {folds.max()}."
        )
    return predictions, labels, folds
