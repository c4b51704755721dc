"""Random on/off states of groups, 32 to a word, and products with their matrix.

A sample says of every group whether it is kept. Images have as many groups as their
super-pixels make, and XLA wants one shape for all: states are drawn for as many groups
as there are pixels, which takes one bit each, and an image with p groups uses the first
p. The matrix Z (samples × p) is never whole in memory: products go through it in blocks
of columns, as many as p needs.
"""

from __future__ import annotations

import tensorflow as tf

_BITS = 32
_BLOCK_WORDS = 16
BLOCK = _BITS * _BLOCK_WORDS  # columns of Z at a time


def binary_samples(num_samples: int, num_groups: tf.Tensor, seed: int) -> tf.Tensor:
    """States of groups, on or off with probability ½, the first sample all on.

    Sample s is set by (seed, s) alone: more samples or more groups go on from fewer.

    Args:
        num_samples: n.
        num_groups: () int32, at least how many groups to draw for.
        seed: 0 … 2³¹ − 1.

    Returns:
        (n, words) uint32: group k is bit k mod 32 of word ⌊k / 32⌋, 1 for on. The
        words are filled up to whole blocks of `BLOCK` groups.
    """
    words = -(-num_groups // BLOCK) * _BLOCK_WORDS

    def draw(sample):
        return tf.random.stateless_uniform(
            tf.reshape(words, [1]),
            seed=tf.stack([tf.constant(seed, tf.int32), sample]),
            minval=None,
            maxval=None,
            dtype=tf.uint32,
            alg="philox",
        )

    drawn = tf.map_fn(draw, tf.range(num_samples), fn_output_signature=tf.uint32)
    first = tf.equal(tf.range(num_samples), 0)[:, None]
    return tf.where(first, tf.constant(2**32 - 1, tf.uint32), drawn)


def unpack(words: tf.Tensor) -> tf.Tensor:
    """Words (n, w) uint32 → their bits (n, 32·w) float32, 0 or 1."""
    shifts = tf.range(_BITS, dtype=tf.int32)
    bits = tf.bitwise.right_shift(words[..., None], tf.cast(shifts, tf.uint32))
    bits = tf.bitwise.bitwise_and(bits, tf.constant(1, tf.uint32))
    shape = tf.shape(words)
    return tf.cast(tf.reshape(bits, [shape[0], shape[1] * _BITS]), tf.float32)


def gram(words: tf.Tensor, num_groups: tf.Tensor) -> tf.Tensor:
    """Z·Zᵀ: how many groups two samples both keep; on the diagonal, each by itself.

    Args:
        words: (n, words) uint32, from `binary_samples`.
        num_groups: () int32, p: the groups from p on are left out.

    Returns:
        (n, n) float32, whole numbers and exact.
    """
    count = words.shape[0]

    def add(block, total):
        states = _columns(words, block, num_groups)
        return total + tf.matmul(states, states, transpose_b=True)

    return _over_blocks(add, tf.zeros([count, count]), num_groups)


def combine(factors: tf.Tensor, words: tf.Tensor, num_groups: tf.Tensor) -> tf.Tensor:
    """Zᵀ·factors: the sum over the samples that keep a group, for every group.

    Args:
        factors: (n,) float64.
        words: (n, words) uint32, from `binary_samples`.
        num_groups: () int32, p.

    Returns:
        (32·words,) float64, 0 from group p on.
    """

    def add(block, sums):
        states = tf.cast(_columns(words, block, num_groups), tf.float64)
        own = tf.reduce_sum(states * factors[:, None], axis=0)
        return tf.tensor_scatter_nd_update(sums, [[block]], own[None])

    zeros = tf.zeros([tf.shape(words)[1] // _BLOCK_WORDS, BLOCK], tf.float64)
    return tf.reshape(_over_blocks(add, zeros, num_groups), [-1])


def _columns(words, block, num_groups):
    """A block of Z's columns, (n, BLOCK) float32, 0 from group p on."""
    size = [words.shape[0], _BLOCK_WORDS]
    states = unpack(tf.slice(words, [0, block * _BLOCK_WORDS], size))
    numbers = block * BLOCK + tf.range(BLOCK)
    return tf.where(numbers < num_groups, states, 0.0)


def _over_blocks(add, start, num_groups):
    """The blocks that hold the first p groups: their number may differ by image."""
    blocks = -(-num_groups // BLOCK)
    _, result = tf.while_loop(
        lambda block, _: block < blocks,
        lambda block, value: (block + 1, add(block, value)),
        (tf.constant(0), start),
        shape_invariants=(tf.TensorShape([]), start.shape),
        parallel_iterations=1,
    )
    return result
