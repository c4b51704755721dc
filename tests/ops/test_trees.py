"""Roots by pointer doubling against walking."""

import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.ops.trees import find_roots


def walk(parents, node):
    while parents[node] != node:
        node = parents[node]
    return node


def test_roots_by_hand():
    assert find_roots(tf.constant([0, 0, 1, 3, 5, 3])).numpy().tolist() == [
        0, 0, 0, 3, 3, 3,
    ]  # fmt: skip


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("count", [1, 2, 65, 1000])
def test_chains_and_random_forests(count, jit_compile):
    find = tf.function(find_roots, jit_compile=jit_compile)
    chain = np.maximum(np.arange(count) - 1, 0).astype(np.int32)
    np.testing.assert_array_equal(find(chain), np.zeros(count))
    rng = np.random.default_rng(count)
    order = rng.permutation(count)
    parents = np.empty(count, np.int32)
    # Each node's parent is itself or comes before it in a random order.
    parents[order] = order[[rng.integers(0, place + 1) for place in range(count)]]
    expected = [walk(parents, node) for node in range(count)]
    np.testing.assert_array_equal(find(parents), expected)
