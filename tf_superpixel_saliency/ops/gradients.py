"""Gradients of a score, in images or in feature maps: the only `tf.GradientTape`."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_superpixel_saliency.ops.scores import Score

# Backward signals of a float16 network in the range 0…255 sink below its smallest
# number; they are raised by this much on the way and lowered in float32.
_FLOAT16_SCALE = 1024.0


def input_gradient(
    evaluate: Callable[[tf.Tensor], Score], images: tf.Tensor, half: bool = False
) -> tuple[tf.Tensor, Score]:
    """∇_x f_c(x), each image by itself.

    Args:
        evaluate: images → `Score`, of which `factor · ∇objective` is the gradient.
        images: (N, H, W, C) float32.
        half: the network computes in float16, so that its backward signals need
            scaling. What remains is float16's rounding, some 1e-3 of the maximum.

    Returns:
        (N, H, W, C) float32, and the score at `images`.

    Raises:
        ValueError: the score does not depend on the images through operations that
            have a gradient.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        score = evaluate(images)
        scale = _FLOAT16_SCALE if half else 1.0
        objective = score.objective * scale
    gradient = tape.gradient(objective, images)
    if gradient is None:
        raise ValueError(
            "The model has no gradient to its input images. Expected a score that "
            "depends on the images through differentiable operations; a cast to "
            "integers, an argmax, tf.stop_gradient or NumPy code on the way cuts it, "
            "and so does a model whose Input has an integer dtype. Pass the part of "
            "the model behind that step."
        )
    # Host code in the model, as tf.py_function, loses the shape.
    gradient = tf.ensure_shape(gradient, images.shape)
    factor = tf.cast(score.factor, tf.float32) / scale
    return tf.cast(gradient, tf.float32) * factor[:, None, None, None], score


def feature_gradient(
    evaluate: Callable[[Callable[[tf.Tensor], tf.Tensor]], Score], half: bool = False
) -> tuple[tf.Tensor, tf.Tensor, Score]:
    """∇_A f_c in feature maps A that are made on the way to the score.

    The way from the images to A is not recorded, and need not have a gradient.

    Args:
        evaluate: takes a function `mark`, which it calls on A and goes on with what
            that returns (a copy of A) up to the `Score`. Where it marks several times,
            the last one counts.
        half: as for `input_gradient`.

    Returns:
        A and the gradient, both (N, h, w, K) float32, and the score.

    Raises:
        ValueError: nothing was marked, or the score does not depend on A through
            operations that have a gradient.
    """
    marked = []

    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def mark(features):
            # A tensor of its own: a layer that does nothing hands on its input, which
            # may go other ways too.
            features = tf.identity(features)
            tape.watch(features)
            marked.append(features)
            return features

        score = evaluate(mark)
        scale = _FLOAT16_SCALE if half else 1.0
        objective = score.objective * scale
    if not marked:
        raise ValueError(
            "The feature maps were not made on the way to the score. Name a layer "
            "that the model runs through from its images to its outputs."
        )
    features = marked[-1]
    gradient = tape.gradient(objective, features)
    if gradient is None:
        raise ValueError(
            "The score has no gradient to the feature maps. Expected one that depends "
            "on them through differentiable operations; a cast to integers, an "
            "argmax, tf.stop_gradient or NumPy code on the way cuts it. Choose a "
            "layer behind that step."
        )
    gradient = tf.ensure_shape(gradient, features.shape)
    factor = tf.cast(score.factor, tf.float32) / scale
    gradient = tf.cast(gradient, tf.float32) * factor[:, None, None, None]
    return tf.cast(features, tf.float32), gradient, score


def pull_back(
    function: Callable[[tf.Tensor], tf.Tensor], point: tf.Tensor, cotangent: tf.Tensor
) -> tf.Tensor:
    """Jᵀ v of a function at a point.

    Args:
        function: (N, …) → (N, …), differentiable.
        point: where its Jacobian J is taken; any point, where the function is affine.
        cotangent: v, of the shape of its output.

    Returns:
        A tensor like `point`.
    """
    return value_and_pull_back(function, point, lambda output: cotangent)[1]


def value_and_pull_back(
    function: Callable[[tf.Tensor], tf.Tensor],
    point: tf.Tensor,
    cotangent: Callable[[tf.Tensor], tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """The value of a function at a point and its Jᵀ v, run once.

    Args:
        function, point: as in `pull_back`.
        cotangent: output → v, of the same shape.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        output = function(point)
    return output, tape.gradient(
        output,
        point,
        cotangent(output),
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
