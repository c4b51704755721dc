"""Sums over noise samples or path steps in chunks, with memory that stays flat."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def sum_over_samples(
    add: Callable[[tf.Tensor, tf.Tensor], tuple],
    zeros: tuple,
    num_samples: int,
    batch: tf.Tensor,
    chunk_size: int,
) -> tuple:
    """Σ over the samples 0 … num_samples − 1, some of them at a time.

    Args:
        add: (numbers (k,) int32, weights (k,) float32) → tuple of what these samples
            add, each of the shape of its zero. Weights are 1, or 0 for the numbers
            past the end that fill the last chunk.
        zeros: tuple of tensors to start from.
        num_samples: how many there are.
        batch: () int32, images in the batch: a chunk holds k·batch rows.
        chunk_size: rows that may go through the network at once; k is at least 1.

    Returns:
        tuple like `zeros`.
    """
    wanted = tf.clip_by_value(chunk_size // tf.maximum(batch, 1), 1, num_samples)
    chunks = -(-num_samples // wanted)
    per_chunk = -(-num_samples // chunks)  # as even as they can be: less filling

    def body(chunk, *sums):
        numbers = chunk * per_chunk + tf.range(per_chunk)
        weights = tf.cast(numbers < num_samples, tf.float32)
        added = zip(sums, add(numbers, weights))
        # A batch of known size comes back from `add` as one of unknown size.
        return chunk + 1, *[tf.ensure_shape(s + a, s.shape) for s, a in added]

    invariants = (tf.TensorShape([]), *[z.shape for z in zeros])
    _, *sums = tf.while_loop(
        lambda chunk, *_: chunk < chunks,
        body,
        (tf.constant(0), *zeros),
        shape_invariants=invariants,
        parallel_iterations=1,
        maximum_iterations=chunks,
    )
    return tuple(sums)
