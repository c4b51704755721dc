"""A batch explained image by image, each by a loop over points of its own.

The points of one image fill a chunk as well as those of several would, and an image's
answer then depends neither on the batch that it came in nor on how long the others
take. Chunks have a size known before, whatever the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tf_superpixel_saliency.explainers.scoring import given_inputs, inputs_given


def map_images(
    function: Callable[..., dict],
    images: tf.Tensor,
    targets: tf.Tensor,
    segments: tf.Tensor | None,
    signature: dict,
) -> dict:
    """`function` of each image as a batch of one, its results stacked.

    Args:
        function: (image (1, H, W, C), target (1,), segments (1, H, W) or None) →
            {name: a tensor}, scored with the further inputs of that image.
        images, targets, segments: of the batch.
        signature: {name: `tf.TensorSpec`} of what it returns.

    Returns:
        {name: (N, …)}.
    """
    batch = tf.shape(images)[0]
    # A replica may be left without an image: it explains a black one and drops it.
    filling = tf.cast(tf.equal(batch, 0), tf.int32)
    given = {name: _filled(value, filling) for name, value in inputs_given().items()}
    everything = (images, targets, segments)
    images, targets, segments = (_filled(value, filling) for value in everything)

    def one(number):
        def row(values):
            return None if values is None else values[number][None]

        with given_inputs({name: row(value) for name, value in given.items()}):
            return function(row(images), row(targets), row(segments))

    out = tf.map_fn(
        one,
        tf.range(batch + filling),
        parallel_iterations=1,
        fn_output_signature=signature,
    )
    return {name: value[:batch] for name, value in out.items()}


def _filled(values, filling):
    if values is None:
        return None
    rows = tf.concat([[filling], tf.shape(values)[1:]], axis=0)
    filled = tf.concat([values, tf.zeros(rows, values.dtype)], axis=0)
    return tf.ensure_shape(filled, [None, *values.shape[1:]])
