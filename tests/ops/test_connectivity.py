from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import slic as reference
from tf_superpixel_saliency.ops import connectivity

_COMPILED = {}


def merge(labels, min_size, max_size, masked=False, jit=False):
    key = masked, jit
    if key not in _COMPILED:
        _COMPILED[key] = tf.function(
            lambda *args: connectivity.merge_small(*args, masked=masked),
            jit_compile=jit,
            autograph=False,
        )
    args = (
        tf.constant(np.asarray(values), tf.int32)
        for values in (labels, min_size, max_size)
    )
    return _COMPILED[key](*args).numpy()


def blobs(shape, count, seed, noise=0.1):
    """Labels like a clustering's: patches with ragged borders and specks."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 1, (count, 2)) * shape
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    distance = (ys[..., None] - centres[:, 0]) ** 2 + (
        xs[..., None] - centres[:, 1]
    ) ** 2
    distance *= rng.uniform(1 - noise, 1 + noise, distance.shape)
    return distance.argmin(axis=-1)


@pytest.mark.parametrize(
    "labels",
    [blobs((20, 31), 9, 0), np.zeros((5, 7), int), np.indices((9, 8)).sum(axis=0) % 2],
)
def test_components_are_named_by_their_first_pixel(labels):
    found = connectivity.connected_components(tf.constant(labels, tf.int32))
    np.testing.assert_array_equal(found, reference.components(labels))


def test_a_spiral_is_one_component():
    labels = np.zeros((9, 9), int)
    labels[1:8, 1:8] = 1
    labels[2, 2:8] = labels[2:7, 2] = labels[6, 2:7] = labels[4:7, 6] = 0
    found = connectivity.connected_components(tf.constant(labels, tf.int32))
    np.testing.assert_array_equal(found, reference.components(labels))


def test_small_group_joins_what_its_fill_touches_last():
    # The fill of the 2s goes right, then down; the lower pixel touches the 1s after
    # the upper one has touched the 0s.
    labels = [[0, 0, 0, 1],
              [0, 2, 1, 1],
              [0, 2, 1, 1],
              [0, 0, 1, 1]]  # fmt: skip
    joined = merge(labels, 3, 100)
    np.testing.assert_array_equal(
        reference.in_raster_order(joined),
        [[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]],
    )


def test_small_groups_at_the_start_join_the_first_large_one():
    labels = [[0, 1, 2, 2, 2], [3, 3, 2, 2, 2]]
    assert (merge(labels, 4, 100) == 2).all()


def test_everything_too_small_is_one_group():
    assert (merge([[0, 1], [2, 3]], 10, 10) == 0).all()


def test_limit_of_one_pixel_leaves_single_pixels():
    joined = merge(np.zeros((3, 4), int), 0, 1)
    np.testing.assert_array_equal(joined, np.arange(12).reshape(3, 4))


@pytest.mark.cases(1)
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_sequential_scan(seed, jit):
    for noise in (0.2, 0.6):
        labels = blobs((26, 33), 8, seed, noise)
        for min_size, max_size in ((20, 300), (50, 60), (5, 40), (3, 3)):
            np.testing.assert_array_equal(
                reference.in_raster_order(merge(labels, min_size, max_size, jit=jit)),
                reference.in_raster_order(
                    reference.connect(labels, min_size, max_size)
                ),
            )


@pytest.mark.parametrize("share", [1, 10**6])
def test_a_list_of_pixels_fills_as_the_whole_image_does(share, monkeypatch):
    """All pixels by the list, where it has room for them, and all by the image."""
    monkeypatch.setattr(connectivity, "_FEW", share)
    for noise, sizes in ((0.2, (20, 300)), (0.6, (5, 40))):
        labels = blobs((26, 33), 8, 5, noise)
        found = connectivity.merge_small(tf.constant(labels, tf.int32), *sizes)
        np.testing.assert_array_equal(
            reference.in_raster_order(found.numpy()),
            reference.in_raster_order(reference.connect(labels, *sizes)),
        )


@pytest.mark.cases(1)
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_sequential_scan_with_a_mask(seed, jit):
    labels = blobs((26, 33), 8, seed, 0.6)
    outside = np.random.default_rng(seed).uniform(size=labels.shape) < 0.4
    labels[outside] = -1
    for min_size, max_size in ((20, 300), (5, 40)):
        found = merge(labels, min_size, max_size, masked=True, jit=jit)
        np.testing.assert_array_equal(found < 0, outside)
        np.testing.assert_array_equal(
            reference.in_raster_order(found),
            reference.in_raster_order(reference.connect(labels, min_size, max_size)),
        )


@pytest.mark.cases(1)
@pytest.mark.parametrize("jit", [False, True])
def test_long_fills_keep_their_order(jit):
    # One winding corridor, cut again and again: more sweeps than a key has bits for.
    # Many stripes side by side: more keys at once than are ranked by counting.
    corridor = np.zeros((40, 26), int)
    corridor[1::2] = 1
    corridor[1::4, -1] = corridor[3::4, 0] = 0
    stripes = np.tile(np.arange(2100) // 2 % 2, (34, 1))
    for labels, sizes in ((corridor, (30, 170)), (stripes, (3, 61))):
        found = merge(labels, *sizes, jit=jit)
        expected = reference.connect(labels, *sizes)
        np.testing.assert_array_equal(
            reference.in_raster_order(found), reference.in_raster_order(expected)
        )
