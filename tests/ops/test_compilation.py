"""Graphs for eager callers."""

import logging

import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.ops import compilation
from tf_superpixel_saliency.superpixels import SLIC, Quickshift


@pytest.fixture
def counted():
    """A function of tensors and keywords, and what it was traced with."""
    traced = []

    @compilation.graph_of_each_setting
    def scaled(x, *, factor, shift=0):
        traced.append((tuple(x.shape), factor, shift, compilation.is_portable()))
        return x * factor + shift

    return scaled, traced


def test_a_graph_of_each_setting(counted):
    scaled, traced = counted
    x = tf.constant([1.0, 2.0])
    for _ in range(3):
        np.testing.assert_array_equal(scaled(x, factor=3.0), [3, 6])
        np.testing.assert_array_equal(scaled(x, factor=4.0, shift=1.0), [5, 9])
        np.testing.assert_array_equal(scaled(x, shift=1.0, factor=4.0), [5, 9])
    assert traced == [((2,), 3.0, 0, False), ((2,), 4.0, 1.0, False)]


def test_portable_graphs_are_apart(counted):
    scaled, traced = counted
    x = tf.constant([1.0])
    for _ in range(2):
        scaled(x, factor=2.0)
        with compilation.portable_graph():
            scaled(x, factor=2.0)
    assert [portable for *_, portable in traced] == [False, True]


def test_a_third_size_needs_no_graph_of_its_own(counted):
    scaled, traced = counted
    for size in range(1, 9):
        scaled(tf.zeros([size]), factor=2.0)
    assert [shape for shape, *_ in traced] == [(1,), (None,)]


@pytest.mark.parametrize("kind", ["Quickshift", "SLIC"])
def test_many_settings_are_no_mistake(kind, caplog):
    """TensorFlow warns of a function that is traced at each of its calls."""
    image = np.random.default_rng(0).uniform(0, 255, (1, 12, 12, 3))
    layers = {
        "Quickshift": [Quickshift(ratio=0.1 + 0.05 * n) for n in range(7)],
        "SLIC": [SLIC(n_segments=10, compactness=5 + n) for n in range(7)],
    }
    logger = tf.get_logger()
    logger.propagate, before = True, logger.propagate
    try:
        with caplog.at_level(logging.WARNING):
            for layer in layers[kind]:
                layer(image)
    finally:
        logger.propagate = before
    assert "retracing" not in caplog.text
