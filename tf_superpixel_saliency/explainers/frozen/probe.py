"""A trial of a frozen model against the model itself."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers.frozen.steps import CannotFreeze
from tf_superpixel_saliency.ops.gradients import value_and_pull_back

TOLERANCE = 1e-4
# Scales of pixels that networks are fed: what saturates at one is told by another.
_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_UNKNOWN_SIZE = 64


def check_on_probe(model, plain, frozen, size) -> float:
    """Compare outputs and gradients on random images.

    Outputs are continuous in the rounding of what they are made of, and must agree on
    every image. Gradients are not: where the input of a rectifier is 0 but for
    rounding, adding in another order ends on the other side of the kink, as it does
    between two sizes of a batch. A wrong fold differs on all images, so it is the best
    of them that must agree.

    Args:
        model: the Keras model, which tells the shapes of its inputs.
        plain: its inputs, in its own structure → its outputs, in inference mode.
        frozen: the same of the frozen model.
        size: (H, W) of the images, None where it isn't known.

    Returns:
        The larger of the outputs' and that gradient's difference, relative to their
        largest value.

    Raises:
        CannotFreeze: it is above 1e-4.
    """
    random = np.random.default_rng(0)
    output_errors, gradient_errors = [0.0], []
    for ranges in _batches(model):
        images = _random_inputs(model, size, random, ranges)
        cotangent_seed = int(random.integers(2**31))
        wanted = _evaluate(model, plain, images, cotangent_seed)
        found = _evaluate(model, frozen, images, cotangent_seed)
        for mine, its in zip(found.outputs, wanted.outputs):
            output_errors += _errors(mine, its)
        for mine, its in zip(found.slopes, wanted.slopes):
            gradient_errors += _errors(mine, its)
    error = max(max(output_errors), min(gradient_errors, default=0.0))
    if error > TOLERANCE:
        raise CannotFreeze(
            f"on random images it differed by {error:.1e} of the largest value, more "
            f"than {TOLERANCE:.0e}"
        )
    return error


def _batches(model):
    """The ranges of the images of each call: all at once where a batch is free."""
    if all(one.shape[0] is None for one in model.inputs):
        return [_RANGES]
    return [(one,) for one in _RANGES]


def _random_inputs(model, size, random, ranges):
    """An image in each range for each input; zeros for integers, maybe indices."""
    inputs = []
    for tensor in model.inputs:
        shape = [1 if side is None else side for side in tensor.shape]
        if len(shape) == 4:
            sides = [size[axis] or _UNKNOWN_SIZE for axis in range(2)]
            known = tensor.shape[1:3]
            shape[1:3] = [own or side for own, side in zip(known, sides)]
        images = [random.uniform(low, high, shape) for low, high in ranges]
        if not tf.as_dtype(tensor.dtype).is_floating:
            images = np.zeros_like(images)
        inputs.append(tf.constant(np.concatenate(images), tensor.dtype))
    return inputs


class _Answer(NamedTuple):
    """Outputs and gradients of a trial, float32, a row an image."""

    outputs: np.ndarray
    slopes: np.ndarray


def _evaluate(model, function, inputs, seed):
    structure = getattr(model, "_inputs_struct", None)
    images = next(n for n, one in enumerate(inputs) if one.shape.rank == 4)

    def call(x):
        tensors = [*inputs[:images], x, *inputs[images + 1 :]]
        packed = tensors[0]
        if structure is not None:
            packed = keras.tree.pack_sequence_as(structure, tensors)
        outputs = keras.tree.flatten(function(packed))[0]
        return tf.cast(tf.reshape(outputs, [outputs.shape[0], -1]), tf.float32)

    def cotangent(outputs):
        random = np.random.default_rng(seed)
        return tf.constant(random.normal(size=outputs.shape), tf.float32)

    outputs, slopes = value_and_pull_back(call, inputs[images], cotangent)
    return _Answer(outputs.numpy(), slopes.numpy())


def _errors(found, expected):
    """A relative difference, or nothing where there is nothing to compare with."""
    largest = np.abs(expected).max(initial=0.0)
    if not np.isfinite(expected).all() or largest == 0:
        return []
    difference = float(np.abs(found - expected).max() / largest)
    return [difference if np.isfinite(difference) else np.inf]
