"""A trial of a frozen model against the model itself."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers.frozen.steps import CannotFreeze
from tf_superpixel_saliency.ops.gradients import pull_back

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
    for low, high in _RANGES:
        inputs = [_random_input(one, size, random, low, high) for one in model.inputs]
        cotangent_seed = int(random.integers(2**31))
        expected, slope = _evaluate(model, plain, inputs, cotangent_seed)
        found, frozen_slope = _evaluate(model, frozen, inputs, cotangent_seed)
        output_errors += _errors(found, expected)
        gradient_errors += _errors(frozen_slope, slope)
    error = max(max(output_errors), min(gradient_errors, default=0.0))
    if error > TOLERANCE:
        raise CannotFreeze(
            f"on random images it differed by {error:.1e} of the largest value, more "
            f"than {TOLERANCE:.0e}"
        )
    return error


def _random_input(tensor, size, random, low, high):
    """An image of each input's shape; zeros for integers, which may be indices."""
    shape = [1 if side is None else side for side in tensor.shape]
    if len(shape) == 4:
        sides = [size[axis] or _UNKNOWN_SIZE for axis in range(2)]
        known = tensor.shape[1:3]
        shape[1:3] = [own or side for own, side in zip(known, sides)]
    if not tf.as_dtype(tensor.dtype).is_floating:
        return tf.zeros(shape, tensor.dtype)
    return tf.constant(random.uniform(low, high, shape), tensor.dtype)


def _evaluate(model, function, inputs, seed):
    structure = getattr(model, "_inputs_struct", None)
    images = next(n for n, one in enumerate(inputs) if one.shape.rank == 4)

    def call(x):
        tensors = [*inputs[:images], x, *inputs[images + 1 :]]
        packed = tensors[0]
        if structure is not None:
            packed = keras.tree.pack_sequence_as(structure, tensors)
        outputs = keras.tree.flatten(function(packed))
        return tf.cast(tf.reshape(outputs[0], [1, -1]), tf.float32)

    outputs = call(inputs[images])
    cotangent = np.random.default_rng(seed).normal(size=outputs.shape)
    slope = pull_back(call, inputs[images], tf.constant(cotangent, tf.float32))
    return outputs.numpy(), slope.numpy()


def _errors(found, expected):
    """A relative difference, or nothing where there is nothing to compare with."""
    largest = np.abs(expected).max(initial=0.0)
    if not np.isfinite(expected).all() or largest == 0:
        return []
    difference = float(np.abs(found - expected).max() / largest)
    return [difference if np.isfinite(difference) else np.inf]
