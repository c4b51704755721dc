"""Many perturbed images through one network, with memory that stays flat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.ops import checks


class Predictions(NamedTuple):
    """What is kept of the predictions for R images.

    `probabilities`: (R,) float64, of the class asked for.
    `predicted`: (R,) int64, the class of the highest probability.
    """

    probabilities: np.ndarray
    predicted: np.ndarray


def predict_rows(
    predict: Callable, rows: Iterable[tuple[np.ndarray, int]], batch_size: int
) -> Predictions:
    """Predict images that are made one after the other.

    Every batch is full, the last one filled up with its last image, so that a
    compiled network sees one shape only.

    Args:
        predict: (batch_size, H, W, C) float32 → (batch_size, classes).
        rows: pairs of an image (H, W, C) and the class to keep the probability of,
            −1 for the predicted one. The same array may come again, changed: it is
            copied at once.
        batch_size: images that are predicted together.

    Returns:
        Predictions.

    Raises:
        ValueError: if the predictions have another shape or aren't finite, or a class
            is out of their range.
    """
    batch_size = checks.checked_count("batch_size", batch_size)
    parts = list(_predict_batches(predict, iter(rows), batch_size))
    return Predictions(*(np.concatenate(values) for values in zip(*parts)))


def checked_classes(predict, images, targets, batch_size: int) -> np.ndarray:
    """Targets as (N,) int32, where None or −1 becomes the class predicted.

    Raises:
        ValueError, TypeError: another shape or type.
    """
    targets = checks.checked_targets(targets, len(images))
    asked = np.flatnonzero(targets < 0)
    if asked.size:
        rows = ((images[number], -1) for number in asked)
        targets[asked] = predict_rows(predict, rows, batch_size).predicted
    return targets


def _predict_batches(predict, rows: Iterator, batch_size):
    while True:
        batch, targets = None, []
        for image, target in islice(rows, batch_size):
            if batch is None:
                # A new one each time: `predict` may keep what it was given.
                batch = np.empty((batch_size, *image.shape), np.float32)
            batch[len(targets)] = image
            targets.append(target)
        if not targets:
            return
        batch[len(targets) :] = batch[len(targets) - 1]
        outputs = _checked_outputs(predict(batch), batch_size, max(targets))
        outputs = outputs[: len(targets)]
        predicted = outputs.argmax(axis=1)
        classes = np.where(np.asarray(targets) < 0, predicted, targets)
        yield outputs[np.arange(len(targets)), classes].astype(np.float64), predicted


def _checked_outputs(outputs, batch_size, highest):
    outputs = np.asarray(outputs)
    if outputs.ndim != 2 or len(outputs) != batch_size:
        raise ValueError(
            f"predict must return probabilities of shape ({batch_size}, classes) for "
            f"{batch_size} images, but got shape {outputs.shape}. Wrap the model so "
            "that it returns one row of class scores an image."
        )
    if highest >= outputs.shape[1]:
        raise ValueError(
            f"targets must be class indices from 0 to {outputs.shape[1] - 1}, or −1 "
            f"for the predicted class, but got {highest}."
        )
    if not np.isfinite(outputs).all():
        raise ValueError(
            "predict returned NaN or infinite values: the curve of such a model means "
            "nothing. Check that images are in the range that it takes."
        )
    return outputs
