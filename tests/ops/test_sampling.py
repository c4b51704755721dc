"""Sums over samples: every number once, whatever the batch and the chunk."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.ops.sampling import (
    best_chunk,
    even_chunks,
    over_chunks,
    sum_over_samples,
)

MOST = 64  # numbers and chunk sizes that the records can hold


@functools.cache
def recorder(num_samples, chunk_size, jit_compile):
    """A function of a batch: how often each number came, and in which chunks."""

    def add(numbers, weights):
        count = tf.math.unsorted_segment_sum(weights, numbers, MOST)
        filling = tf.math.unsorted_segment_sum(1 - weights, numbers, MOST)
        sizes = tf.one_hot(tf.shape(numbers)[0], MOST)
        return count, filling, sizes

    def run(images):
        zeros = (tf.zeros([MOST]),) * 3
        batch = tf.shape(images)[0]
        return sum_over_samples(add, zeros, num_samples, batch, chunk_size)

    return tf.function(
        run,
        input_signature=[tf.TensorSpec([None, 1], tf.float32)],
        jit_compile=jit_compile,
    )


CASES = [
    (num_samples, chunk_size, batch)
    for num_samples in (1, 2, 7, 10, 50)
    for chunk_size in (1, 4, 32, 1000)
    for batch in (1, 3, 40)
]


def record(num_samples, chunk_size, batch, jit_compile):
    function = recorder(num_samples, chunk_size, jit_compile)
    return [sums.numpy() for sums in function(tf.zeros([batch, 1]))]


@pytest.mark.parametrize("num_samples, chunk_size, batch", CASES)
def test_every_sample_comes_once(num_samples, chunk_size, batch):
    count, filling, sizes = record(num_samples, chunk_size, batch, False)
    assert count[:num_samples].tolist() == [1] * num_samples
    assert not count[num_samples:].any()
    assert not filling[:num_samples].any()
    chunks = sizes.sum()
    (per_chunk,) = np.flatnonzero(sizes)
    assert per_chunk == 1 or per_chunk * batch <= chunk_size
    assert filling.sum() == chunks * per_chunk - num_samples
    # No other size within the limit costs less: a row more for each chunk.
    limit = max(1, min(chunk_size // batch, num_samples))
    costs = [np.ceil(num_samples / k) * (k + 1) for k in range(1, limit + 1)]
    assert chunks * (per_chunk + 1) == min(costs)


@pytest.mark.parametrize("num_samples, chunk_size, batch", [(7, 4, 1), (10, 32, 3)])
def test_xla_makes_the_same_chunks(num_samples, chunk_size, batch):
    plain = record(num_samples, chunk_size, batch, False)
    fused = record(num_samples, chunk_size, batch, True)
    for first, second in zip(plain, fused):
        np.testing.assert_array_equal(first, second)


def test_an_empty_batch_does_not_divide_by_zero():
    count, _, _ = record(5, 8, 0, False)
    assert count[:5].tolist() == [1] * 5


def test_sums_have_the_kinds_of_their_zeros(xla):
    def add(numbers, weights):
        numbers = tf.cast(numbers, tf.float32) * weights
        return tf.reduce_sum(numbers) * tf.ones([2, 3]), tf.reduce_sum(numbers**2)

    @functools.partial(tf.function, jit_compile=xla)
    def run():
        zeros = (tf.fill([2, 3], 100.0), tf.constant(0.0))
        return sum_over_samples(add, zeros, 10, tf.constant(2), 6)

    first, second = run()
    assert first.numpy().tolist() == [[145.0] * 3] * 2  # 100 + Σ 0…9
    assert second.numpy() == 285  # Σ of the squares


def test_the_sum_does_not_depend_on_the_chunks():
    values = np.random.default_rng(0).normal(size=50).astype(np.float32)

    def add(numbers, weights):
        rows = tf.gather(values, tf.minimum(numbers, 49))
        return (tf.reduce_sum(weights * rows),)

    for chunk_size in (1, 3, 7, 50, 51):
        (total,) = sum_over_samples(
            add, (tf.constant(0.0),), 50, tf.constant(1), chunk_size
        )
        np.testing.assert_allclose(total, values.astype(np.float64).sum(), rtol=1e-5)


def test_chunks_by_hand():
    # 50 of at most 8: seven chunks of 8 cost 63, ten of 5 cost 60.
    assert even_chunks(50, 8)[-1] == 5
    assert even_chunks(50, 50) == even_chunks(50, 1000)
    assert even_chunks(50, 32)[-1] == 25
    assert even_chunks(1, 4) == [1]
    # With what is left by itself six of 8 and one of 2 cost 57.
    assert best_chunk(50, 8) == 8
    # Pairs: eight of 3 and one of 1.
    assert best_chunk(25, 3, rows=2) == 3
    assert best_chunk(5, 100) == 5


@pytest.mark.parametrize("count", [1, 5, 6, 7])
@pytest.mark.parametrize("known", [True, False])
def test_over_chunks_adds_each_number_once(xla, count, known):
    def add(state, numbers, used):
        total, squares = state
        numbers = tf.cast(numbers, tf.float32)
        return total + tf.reduce_sum(used), squares + tf.reduce_sum(used * numbers**2)

    def run(number):
        zeros = (tf.zeros([]), tf.zeros([]))
        return over_chunks(add, zeros, count if known else number, 3)

    total, squares = tf.function(run, jit_compile=xla)(tf.constant(count))
    assert total == count
    assert squares == sum(i**2 for i in range(count))


def test_over_no_chunks_the_state_stays():
    def add(state, numbers, used):
        return state + tf.reduce_sum(used)

    assert over_chunks(add, tf.constant(5.0), tf.constant(0), 4) == 5
    assert over_chunks(add, tf.constant(5.0), 0, 4) == 5
