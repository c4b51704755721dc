"""A classifier as the plain function that the metrics take."""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from tf_superpixel_saliency.explainers.scoring import Scorer


def probabilities(model, model_output: str = "auto", preprocess=None) -> Callable:
    """A function from images to class probabilities, NumPy in and out.

    Args:
        model: what an explainer takes.
        model_output: "probability", "logit" or "auto", as for an explainer.
        preprocess: from pictures to what the model eats, as for an explainer.

    Returns:
        (M, H, W, C) → (M, classes) float32. It is traced once for each image size.
    """
    scorer = Scorer(model, "probability", model_output, preprocess)
    functions: dict = {}

    def predict(images):
        images = tf.convert_to_tensor(images, tf.float32)
        size = tuple(images.shape[1:])
        if size not in functions:
            functions[size] = tf.function(
                functools.partial(scorer.probabilities),
                input_signature=[tf.TensorSpec((None, *size), tf.float32)],
                autograph=False,
            )
        return functions[size](images).numpy()

    return predict
