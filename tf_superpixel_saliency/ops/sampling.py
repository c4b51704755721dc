"""Sums over noise samples or path steps in chunks, with memory that stays flat."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# What a chunk costs besides its rows: as much as one row more.
_ROWS_OF_A_CHUNK = 1


def even_chunks(count: int, most: int) -> list[int]:
    """How many of `count` things to take at a time, if at most 1, 2 … `most` may go.

    The last chunk is filled up with things that count for nothing: seven chunks of 8
    do the work of 56 where ten of 5 do that of 50. But each chunk costs something.

    Args:
        count: how many there are, at least 1.
        most: the largest limit asked for; those above `count` are left out.

    Returns:
        The cheapest size for each limit, the larger one of two that cost the same.
    """
    best, least, table = 1, None, []
    for size in range(1, min(most, count) + 1):
        cost = -(-count // size) * (size + _ROWS_OF_A_CHUNK)
        if least is None or cost <= least:
            best, least = size, cost
        table.append(best)
    return table


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
    table = even_chunks(num_samples, chunk_size)
    per_chunk = tf.gather(tf.constant(table), wanted - 1)
    chunks = -(-num_samples // per_chunk)

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


def best_chunk(count: int, most: int, rows: int = 1) -> int:
    """How many of `count` things to take at a time, the rest of them by themselves.

    Args:
        count, most: as in `even_chunks`.
        rows: rows that each thing takes.
    """

    def cost(size):
        full, rest = divmod(count, size)
        sizes = full * (size * rows + _ROWS_OF_A_CHUNK)
        return sizes + (rest * rows + _ROWS_OF_A_CHUNK if rest else 0)

    return min(range(min(most, count), 0, -1), key=cost)


def over_chunks(
    add: Callable, state: tuple, count: int | tf.Tensor, per_chunk: int
) -> tuple:
    """A state after `count` things of one image were added, `per_chunk` at a time.

    Args:
        add: (state, numbers (k,) int32, used (k,) float32) → state. Numbers are within
            0 … count − 1. Where `count` is a tensor, those that fill the last chunk
            are the last one again, and not used. (A thing of its own could be NaN,
            which a weight of 0 does not take away.)
        state: nested tensors to start from.
        count: how many there are; none at all leaves the state. What is left of a
            number known before is a chunk of its own.
        per_chunk: k.
    """

    def body(chunk, state):
        numbers = chunk * per_chunk + tf.range(per_chunk)
        used = tf.cast(numbers < count, tf.float32)
        added = add(state, tf.minimum(numbers, count - 1), used)
        return chunk + 1, tf.nest.map_structure(same_shape, added, state)

    known = isinstance(count, int)
    chunks = count // per_chunk if known else -(-count // per_chunk)
    _, state = tf.while_loop(
        lambda chunk, _: chunk < chunks,
        body,
        (tf.constant(0), state),
        parallel_iterations=1,
    )
    rest = count % per_chunk if known else 0
    if rest:
        state = add(state, tf.range(count - rest, count), tf.ones([rest]))
    return state


def same_shape(value: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """With the static shape of another, as loops want their state to have."""
    return tf.ensure_shape(value, like.shape)
