"""A classifier as the plain function that the metrics take."""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from tf_superpixel_saliency.explainers.chunking import AUTO
from tf_superpixel_saliency.explainers.scoring import Scorer


def probabilities(model, model_output: str = "auto", preprocess=None) -> Callable:
    """A function from images to class probabilities, NumPy in and out.

    Args:
        model: what an explainer takes.
        model_output: "probability", "logit" or "auto", as for an explainer.
        preprocess: from pictures to what the model eats, as for an explainer.

    Returns:
        (M, H, W, C) → (M, classes) float32. It is traced once for each image size. The
        model is run as explainers run it: frozen, in chunks that suit its feature maps.
    """
    scorer = Scorer(model, "probability", model_output, preprocess)
    functions: dict = {}

    def predict(images):
        images = tf.convert_to_tensor(images, tf.float32)
        size = tuple(images.shape[1:])
        if not images.shape[0]:
            # On some processors a convolution of no images has the wrong channels.
            return predict(tf.zeros((1, *size)))[:0]
        if size not in functions:
            functions[size] = tf.function(
                functools.partial(_in_chunks, scorer),
                input_signature=[
                    tf.TensorSpec((None, *size), tf.float32),
                    tf.TensorSpec((), tf.int32),
                ],
                autograph=False,
            ).get_concrete_function()
        # What suits the model is known once it was traced.
        rows = scorer.rows_at_once(AUTO, images)
        return functions[size](images, tf.constant(rows)).numpy()

    return predict


def _in_chunks(scorer, images, rows):
    """Probabilities of (M, H, W, C), `rows` of them at a time."""
    chunks = -(-tf.shape(images)[0] // rows)
    found = tf.TensorArray(tf.float32, chunks, infer_shape=False)

    def predicted(chunk, found):
        some = images[chunk * rows : (chunk + 1) * rows]
        some = tf.ensure_shape(some, images.shape)
        return chunk + 1, found.write(chunk, scorer.probabilities(some))

    with scorer.frozen(images):
        _, found = tf.while_loop(
            lambda chunk, _: chunk < chunks,
            predicted,
            (tf.constant(0), found),
            parallel_iterations=1,
        )
    return found.concat()
