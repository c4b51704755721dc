"""The gradient of a score in the images: the only `tf.GradientTape` of the package."""

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
