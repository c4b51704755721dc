"""The group functions against loops, by hand, and with and without XLA."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import groups as reference
from tf_superpixel_saliency.ops import groups

SHAPES = [(1, 1, 1), (3, 1, 9), (2, 7, 5), (4, 16, 16)]


@functools.cache
def compiled(function, kinds, jit_compile):
    """One `tf.function` for all sizes, so that it is traced once for all tests."""
    signature = [tf.TensorSpec([None] * rank, dtype) for rank, dtype in kinds]
    return tf.function(function, input_signature=signature, jit_compile=jit_compile)


@pytest.fixture(params=[None, False, True], ids=["eager", "graph", "xla"])
def run(request):
    """Calls a function in one of the three ways, sizes unknown in a graph."""

    def call(function, *arrays):
        tensors = [tf.constant(array) for array in arrays]
        if request.param is not None:
            kinds = tuple((tensor.shape.rank, tensor.dtype) for tensor in tensors)
            function = compiled(function, kinds, request.param)
        return function(*tensors).numpy()

    return call


def random_segments(shape, groups_at_most, seed=0):
    """Labels below H·W, in no order, with gaps."""
    rng = np.random.default_rng(seed)
    pixels = shape[1] * shape[2]
    used = rng.permutation(pixels)[: min(groups_at_most, pixels)]
    return rng.choice(used, shape).astype(np.int32)


@pytest.mark.parametrize("shape", SHAPES)
def test_relabel_numbers_in_raster_order(run, shape):
    for groups_at_most in (1, 4, 10**6):
        segments = random_segments(shape, groups_at_most)
        np.testing.assert_array_equal(
            run(groups.relabel, segments), reference.number(segments)
        )


def test_relabel_by_hand(run):
    segments = np.array([[[5, 5, 2], [2, 0, 5]], [[0, 1, 2], [3, 4, 5]]], np.int32)
    expected = [[[0, 0, 1], [1, 2, 0]], [[0, 1, 2], [3, 4, 5]]]
    np.testing.assert_array_equal(run(groups.relabel, segments), expected)


def test_relabel_leaves_numbered_segments_as_they_are(run):
    segments = reference.number(random_segments((3, 9, 8), 20))
    np.testing.assert_array_equal(run(groups.relabel, segments), segments)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_compress_labels_takes_any_integers(run, shape, dtype):
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(1)
    values = rng.integers(limits.min, limits.max, 12, dtype, endpoint=True)
    values = np.concatenate([values, np.array([limits.min, limits.max, 0], dtype)])
    labels = rng.choice(values, shape)
    np.testing.assert_array_equal(
        run(groups.compress_labels, labels), reference.number(labels)
    )


def test_compress_labels_tells_neighbouring_huge_labels_apart(run):
    # They are equal as float64: nothing may pass through floats.
    labels = np.array([[[2**62, 2**62 + 1], [-(2**62), -(2**62) - 1]]], np.int64)
    np.testing.assert_array_equal(
        run(groups.compress_labels, labels), [[[0, 1], [2, 3]]]
    )


def test_compress_labels_equals_relabel_where_both_apply(run):
    segments = random_segments((3, 11, 6), 15)
    np.testing.assert_array_equal(
        run(groups.compress_labels, segments), run(groups.relabel, segments)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_count_groups(run, shape):
    segments = reference.number(random_segments(shape, 7))
    np.testing.assert_array_equal(
        run(groups.count_groups, segments), reference.count(segments)
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_group_mean(run, shape, channels):
    segments = random_segments(shape, 9)
    maps = np.random.default_rng(2).normal(size=(*shape, channels))
    maps = maps.astype(np.float32)
    np.testing.assert_allclose(
        run(groups.group_mean, maps, segments),
        reference.mean(maps, segments),
        rtol=1e-6,
        atol=1e-7,
    )


def test_group_mean_of_a_large_group_keeps_small_differences(run):
    # A float32 sum of these loses more than the whole of a 1e-5 tolerance.
    maps = np.full((1, 224, 224, 1), 1e4, np.float32)
    maps[0, ::2] += 1
    result = run(groups.group_mean, maps, np.zeros((1, 224, 224), np.int32))
    np.testing.assert_array_equal(result, np.full_like(maps, 10000.5))


def test_group_mean_by_hand(run):
    maps = np.array([[[1, 3], [5, 7]]], np.float32)[..., None]
    segments = np.array([[[0, 1], [0, 0]]], np.int32)
    expected = np.array([[[13 / 3, 3], [13 / 3, 13 / 3]]], np.float32)[..., None]
    np.testing.assert_array_equal(run(groups.group_mean, maps, segments), expected)


def test_group_mean_degenerates(run):
    rng = np.random.default_rng(3)
    maps = rng.normal(size=(2, 6, 7, 3)).astype(np.float32)
    own = np.tile(np.arange(42, dtype=np.int32).reshape(6, 7), (2, 1, 1))
    np.testing.assert_array_equal(run(groups.group_mean, maps, own), maps)
    one = run(groups.group_mean, maps, np.zeros((2, 6, 7), np.int32))
    expected = maps.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    np.testing.assert_allclose(one, np.broadcast_to(expected, maps.shape), rtol=1e-6)


def test_group_mean_twice_is_group_mean_once(run):
    segments = random_segments((2, 12, 12), 10)
    maps = np.random.default_rng(4).normal(size=(2, 12, 12, 3)).astype(np.float32)
    once = run(groups.group_mean, maps, segments)
    np.testing.assert_allclose(
        run(groups.group_mean, once, segments), once, rtol=1e-6, atol=1e-8
    )


def test_group_mean_keeps_images_apart(run):
    segments = random_segments((3, 8, 8), 6)
    maps = np.random.default_rng(5).normal(size=(3, 8, 8, 2)).astype(np.float32)
    whole = run(groups.group_mean, maps, segments)
    for image in range(3):
        alone = run(groups.group_mean, maps[image][None], segments[image][None])
        np.testing.assert_array_equal(whole[image], alone[0])


def test_group_mean_keeps_a_type_and_a_static_shape():
    segments = tf.zeros((1, 4, 5), tf.int32)
    for dtype in (tf.float16, tf.float32, tf.float64):
        assert groups.group_mean(tf.ones((1, 4, 5, 2), dtype), segments).dtype == dtype

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 4, None, 2]),
            tf.TensorSpec([None, 4, None], tf.int32),
        ]
    )
    def shape_of(maps, labels):
        assert groups.group_mean(maps, labels).shape.as_list() == [None, 4, None, 2]
        return maps

    shape_of(tf.ones((1, 4, 5, 2)), segments)


def test_the_gradient_of_group_mean_is_group_mean(run):
    # κ is symmetric: the derivative of ⟨v, κ·m⟩ in m is κ·v.
    segments = random_segments((2, 9, 7), 8)
    rng = np.random.default_rng(6)
    maps, v = rng.normal(size=(2, 2, 9, 7, 3)).astype(np.float32)

    def gradient(maps, segments, v):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            value = tf.reduce_sum(groups.group_mean(maps, segments) * v)
        return tape.gradient(value, maps)

    np.testing.assert_allclose(
        run(gradient, maps, segments, v),
        reference.mean(v, segments),
        rtol=1e-5,
        atol=1e-7,
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spare", [0, 3], ids=["p", "more than p"])
def test_spread_indicators(run, shape, spare):
    segments = reference.number(random_segments(shape, 9))
    slots = segments.max() + 1 + spare
    g = np.random.default_rng(7).normal(size=(shape[0], slots, 3)).astype(np.float32)
    np.testing.assert_allclose(
        run(groups.spread_indicators, g, segments),
        reference.spread(g, segments),
        rtol=1e-6,
        atol=1e-8,
    )
    np.testing.assert_allclose(
        run(groups.spread_indicators, g[..., 0], segments),
        reference.spread(g[..., :1], segments),
        rtol=1e-6,
        atol=1e-8,
    )


def test_spread_indicators_by_hand(run):
    segments = np.array([[[0, 0], [1, 0]]], np.int32)
    g = np.array([[[6.0], [5.0]]], np.float32)
    np.testing.assert_array_equal(
        run(groups.spread_indicators, g, segments)[..., 0], [[[2, 2], [5, 2]]]
    )


def test_the_gradient_in_the_indicators_gathers_to_the_group_mean(run):
    segments = reference.number(random_segments((2, 8, 9), 12))
    v = np.random.default_rng(8).normal(size=(2, 8, 9, 3)).astype(np.float32)

    def gradient(v, segments):
        g = tf.zeros([2, 12, 3])
        with tf.GradientTape() as tape:
            tape.watch(g)
            value = tf.reduce_sum(groups.spread_indicators(g, segments) * v)
        return tf.gather(tape.gradient(value, g), segments, axis=1, batch_dims=1)

    np.testing.assert_allclose(
        run(gradient, v, segments), reference.mean(v, segments), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("places", [1, 31, 32, 100])
def test_flags_above_each_place_are_counted_by_column(run, places):
    flags = np.random.default_rng(0).uniform(size=(places, 5)) < 0.4
    expected = np.cumsum(flags, axis=0) - flags
    np.testing.assert_array_equal(run(groups.count_before, flags), expected)
