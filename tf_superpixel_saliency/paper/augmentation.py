"""Batches of training images: shuffled, flipped and cropped, the same at each call."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.paper.plan import NetworkPlan

# Zero pixels on each side, from which an image is cut out at random.
MARGIN = 4


def epoch_batches(
    images: tf.Tensor, labels: tf.Tensor, plan: NetworkPlan, epoch: int, batch_size: int
) -> tf.data.Dataset:
    """One epoch's batches, shuffled, flipped and cropped in the graph.

    Args:
        images: (N, H, W, C) uint8, all training images.
        labels: (N,) int32.
        plan: which of them, and the seed of their order.
        epoch: its number, from 0.
        batch_size: images a batch; the last may be smaller.

    Returns:
        Data set of ((n, H, W, C) float32 in 0…255, (n,) int32), in the same order
        whenever it is made.
    """
    rng = np.random.default_rng([plan.order_seed, epoch])
    order = rng.permutation(plan.indices)
    corners = rng.integers(0, 2 * MARGIN + 1, (len(order), 2), np.int32)
    flips = rng.integers(0, 2, len(order), np.int32).astype(bool)

    def batch(indices, corners, flips):
        cropped = flip_and_crop(tf.gather(images, indices), corners, flips)
        return cropped, tf.gather(labels, indices)

    data = tf.data.Dataset.from_tensor_slices((order, corners, flips))
    return data.batch(batch_size).map(batch, tf.data.AUTOTUNE).prefetch(4)


def flip_and_crop(images, corners, flips) -> tf.Tensor:
    """Each image mirrored or not, cut from itself with a margin of 4 zero pixels.

    Args:
        images: (N, H, W, C).
        corners: (N, 2) int32, row and column in the padded image, 0…8; 4 cuts out the
            image itself.
        flips: (N,) bool, whether columns are mirrored after the cut.

    Returns:
        (N, H, W, C) float32.
    """
    height, width = images.shape[1:3]
    margin = [MARGIN, MARGIN]
    padded = tf.pad(images, [[0, 0], margin, margin, [0, 0]])
    rows = corners[:, :1] + tf.range(height)
    steps = tf.range(width)
    columns = corners[:, 1:] + tf.where(flips[:, None], steps[::-1], steps)
    cut = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.cast(tf.gather(cut, columns, axis=2, batch_dims=1), tf.float32)
