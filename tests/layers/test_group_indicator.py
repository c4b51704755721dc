"""The indicators' gradient at 0, gathered, is the grouped gradient."""

import keras
import numpy as np
import pytest
import skimage.data
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.layers.networks import random_images, random_segments, score_network
from tests.reference import groups as reference
from tf_superpixel_saliency import GroupIndicator, GroupMean

IMAGES = random_images()
SEGMENTS = random_segments()


def gather(per_group, segments):
    """(N, p, C) or (N, p), (N, H, W) → each pixel's group's value."""
    return np.stack([values[labels] for values, labels in zip(per_group, segments)])


def gradients(score, shared, xla=False, sizes_known=False):
    """A function of (images, segments, number of groups) → ∂/∂g at 0 and ∇f."""

    def run(images, segments, groups):
        shape = [tf.shape(images)[0], groups]
        shape += [] if shared else [tf.shape(images)[3]]
        indicators = tf.zeros(shape)
        indicators = tf.ensure_shape(indicators, [None] * len(shape))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([images, indicators])
            moved = score(GroupIndicator()(images, segments, indicators))
            plain = score(images)
        return tape.gradient(moved, indicators), tape.gradient(plain, images)

    if sizes_known:
        return tf.function(run, jit_compile=xla)
    signature = [
        tf.TensorSpec([None, None, None, 3], tf.float32),
        tf.TensorSpec([None] * 3, tf.int32),
        tf.TensorSpec([], tf.int32),
    ]
    return tf.function(run, input_signature=signature, jit_compile=xla)


def assert_close(found, expected, tolerance=1e-5):
    """Each image to its own largest value."""
    for one, other in zip(np.asarray(found), np.asarray(expected)):
        assert np.abs(other).max() > 0
        assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


def check(function, images, segments, shared, spare=0):
    groups = int(segments.max()) + 1 + spare
    per_group, plain = function(
        tf.constant(images), tf.constant(segments), tf.constant(groups)
    )
    expected = GroupMean()(plain, segments).numpy()
    assert_close(expected, reference.mean(plain.numpy(), segments), 1e-6)
    if shared:
        expected = expected.sum(axis=-1)
    assert_close(gather(per_group.numpy(), segments), expected)
    return per_group.numpy()


@pytest.mark.cases(1)
@pytest.mark.parametrize("shared", [False, True], ids=["per channel", "shared"])
def test_gradient_at_zero_is_the_grouped_gradient(xla, shared):
    # One graph for several partitions and sizes: all of them are unknown in it.
    function = gradients(score_network((None, None, 3)), shared, xla)
    for seed, count, size in ((0, 3, (9, 7)), (1, 1, (12, 10)), (2, 4, (9, 7))):
        images = random_images(count, (*size, 3), seed)
        segments = random_segments(count, size, 12, seed)
        check(function, images, segments, shared)


@pytest.mark.parametrize("shared", [False, True], ids=["per channel", "shared"])
def test_one_pixel_a_group_is_the_gradient_itself(shared):
    function = gradients(score_network(), shared)
    pixels = np.arange(63, dtype=np.int32).reshape(1, 9, 7).repeat(3, axis=0)
    check(function, IMAGES, pixels, shared)


@pytest.mark.parametrize("shared", [False, True], ids=["per channel", "shared"])
def test_one_group_is_the_mean_gradient(shared):
    function = gradients(score_network(), shared)
    check(function, IMAGES, np.zeros_like(SEGMENTS), shared)


def test_spare_indicators_move_nothing():
    function = gradients(score_network(), False)
    per_group = check(function, IMAGES, SEGMENTS, False, spare=5)
    for values, labels in zip(per_group, SEGMENTS):
        assert not values[labels.max() + 1 :].any()


def test_by_hand_a_linear_score():
    # f = Σ w x, groups {1, 2} and {3}: ∂f/∂g = (w₁ + w₂)/2 and w₃.
    weights = tf.constant([1.0, 5.0, -2.0])
    images = tf.zeros([1, 1, 3, 1])
    segments = np.array([[[0, 0, 1]]])
    indicators = tf.zeros([1, 2, 1])
    with tf.GradientTape() as tape:
        tape.watch(indicators)
        moved = GroupIndicator()(images, segments, indicators)
        score = tf.reduce_sum(moved[0, 0, :, 0] * weights)
    assert tape.gradient(score, indicators).numpy().ravel().tolist() == [3, -2]


def test_by_hand_what_moves(xla):
    layer = tf.function(GroupIndicator(), jit_compile=xla)
    images = tf.ones([1, 2, 2, 2])
    segments = tf.constant([[[0, 1], [0, 0]]])
    moved = layer(images, segments, tf.constant([[[3.0, 6.0], [10.0, -1.0]]]))
    expected = [[[[2, 3], [11, 0]], [[2, 3], [2, 3]]]]
    np.testing.assert_allclose(moved, expected, rtol=1e-6)
    shared = layer(images, segments, tf.constant([[3.0, 10.0]]))
    expected = [[[[2, 2], [11, 11]], [[2, 2], [2, 2]]]]
    np.testing.assert_allclose(shared, expected, rtol=1e-6)


def test_zero_indicators_are_the_identity():
    found = GroupIndicator()(IMAGES, SEGMENTS, np.zeros((3, 12, 3)))
    np.testing.assert_array_equal(found, IMAGES)


@pytest.mark.parametrize("channels", [1, 3])
def test_equals_the_matrices(channels):
    indicators = np.random.default_rng(5).normal(size=(3, 12, channels))
    images = IMAGES[..., :channels]
    found = GroupIndicator()(images, SEGMENTS, indicators)
    expected = images + reference.spread(indicators, SEGMENTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def functional(score):
    images = keras.Input((9, 7, 3), name="images")
    segments = keras.Input((9, 7), dtype="int32", name="segments")
    indicators = keras.Input((None, 3), name="indicators")
    moved = GroupIndicator(name="move")(images, segments, indicators)
    assert moved.shape == (None, 9, 7, 3)
    return keras.Model([images, segments, indicators], score(moved))


def indicator_gradient(model, groups):
    indicators = tf.zeros([3, groups, 3])
    with tf.GradientTape() as tape:
        tape.watch(indicators)
        score = model([tf.constant(IMAGES), tf.constant(SEGMENTS), indicators])
    return tape.gradient(score, indicators).numpy()


def test_in_a_functional_that_is_saved(tmp_path):
    score = score_network()
    model = functional(score)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = score(images)
    expected = GroupMean()(tape.gradient(value, images), SEGMENTS)
    for network in (model, loaded):
        found = indicator_gradient(network, int(SEGMENTS.max()) + 1)
        assert_close(gather(found, SEGMENTS), expected)
    moved = loaded.predict([IMAGES, SEGMENTS, np.ones((3, 12, 3))], verbose=0)
    still = loaded.predict([IMAGES, SEGMENTS, np.zeros((3, 12, 3))], verbose=0)
    assert np.abs(moved - still).min() > 0


def test_serialises():
    layer = GroupIndicator(name="move")
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, GroupIndicator)
    assert again.get_config() == layer.get_config()
    shapes = ((2, 3, 4, 5), (2, 3, 4), (2, 6, 5))
    assert layer.compute_output_shape(*shapes) == (2, 3, 4, 5)


@pytest.mark.parametrize(
    "images, segments, indicators, parts",
    [
        ((2, 4, 5), (2, 4, 5), (2, 3), ["(N, H, W, C)", "(2, 4, 5)"]),
        ((2, 4, 5, 3), (4, 5), (2, 3), ["(N, H, W)", "(4, 5)"]),
        ((2, 4, 5, 3), (2, 5, 4), (2, 3), ["same batch, height", "(2, 5, 4)"]),
        ((2, 4, 5, 3), (1, 4, 5), (2, 3), ["same batch", "(1, 4, 5)"]),
        ((2, 4, 5, 3), (2, 4, 5), (2, 6, 2), ["(N, p, C)", "(2, 6, 2)", "(N, p)"]),
        ((2, 4, 5, 3), (2, 4, 5), (6,), ["(N, p, C)", "(6,)"]),
        ((2, 4, 5, 3), (2, 4, 5), (1, 6, 3), ["(N, p, C)", "(1, 6, 3)"]),
    ],
)
def test_shapes_that_do_not_fit(images, segments, indicators, parts):
    with pytest.raises(ValueError) as caught:
        GroupIndicator()(
            np.zeros(images, "float32"),
            np.zeros(segments, "int32"),
            np.zeros(indicators, "float32"),
        )
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.thorough
def test_on_the_demo_model():
    model = tss.demo.load_model()
    photo = skimage.data.chelsea()[20:244, 100:324].astype("float32")[None]
    segments = tss.Quickshift()(photo).numpy()
    function = gradients(lambda x: model(x)[:, 285], False, sizes_known=True)
    check(function, photo, segments, False)
