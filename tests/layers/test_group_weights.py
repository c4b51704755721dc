"""W = diag(1/√|S|): by hand, against matrices, and what noise becomes under it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.layers.networks import random_images, random_segments
from tests.reference import groups as reference
from tf_superpixel_saliency import GroupIndicator, GroupMean
from tf_superpixel_saliency.metrics.grouping import group_map

MAPS = random_images()
SEGMENTS = random_segments()


def layer_function(layer, xla):
    signature = [
        tf.TensorSpec([None] * 4, tf.float32),
        tf.TensorSpec([None] * 3, tf.int32),
    ]
    return tf.function(layer, input_signature=signature, jit_compile=xla)


def test_by_hand(xla):
    # Groups of four pixels and of one: sums 1 + 3 + 5 + 7 = 16 over 2, and −2 over 1.
    grouped = layer_function(GroupMean(weights="sqrt"), xla)
    maps = tf.constant([1.0, 3.0, 5.0, 7.0, -2.0], shape=(1, 1, 5, 1))
    segments = tf.constant([[[0, 0, 0, 0, 1]]])
    found = grouped(maps, segments).numpy().ravel()
    np.testing.assert_allclose(found, [8, 8, 8, 8, -2], rtol=1e-6)
    moved = GroupIndicator(weights="sqrt")(
        tf.zeros_like(maps), segments, tf.constant([[[6.0], [5.0]]])
    )
    np.testing.assert_allclose(moved[0, 0, :, 0], [3, 3, 3, 3, 5], rtol=1e-6)


def test_equals_the_matrices(xla):
    expected = reference.weighted(MAPS, SEGMENTS, "sqrt")
    found = layer_function(GroupMean(weights="sqrt"), xla)(MAPS, SEGMENTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        tss.group_map(MAPS, SEGMENTS, "sqrt"), expected, rtol=0, atol=1e-5
    )
    in_numpy = [group_map(*pair, "sqrt") for pair in zip(MAPS, SEGMENTS)]
    np.testing.assert_allclose(in_numpy, expected, rtol=0, atol=1e-5)
    mean = reference.weighted(MAPS, SEGMENTS, "mean")
    np.testing.assert_allclose(mean, reference.mean(MAPS, SEGMENTS), atol=1e-12)


def test_gradient_in_the_indicators_is_the_grouped_gradient():
    coefficients = tf.constant(random_images(seed=3))
    indicators = tf.zeros([3, 12, 3])
    with tf.GradientTape() as tape:
        tape.watch(indicators)
        moved = GroupIndicator(weights="sqrt")(MAPS, SEGMENTS, indicators)
        score = tf.reduce_sum(coefficients * moved)
    per_group = tape.gradient(score, indicators).numpy()
    gathered = np.stack([g[labels] for g, labels in zip(per_group, SEGMENTS)])
    grouped = GroupMean(weights="sqrt")(coefficients, SEGMENTS)
    np.testing.assert_allclose(gathered, grouped, rtol=0, atol=1e-5)


def test_indicators_move_the_image_as_far_as_they_are_long():
    indicators = np.random.default_rng(0).normal(size=(3, 12, 3)).astype("float32")
    for one, labels in zip(indicators, SEGMENTS):
        one[labels.max() + 1 :] = 0
    moved = GroupIndicator(weights="sqrt")(0 * MAPS, SEGMENTS, indicators)
    np.testing.assert_allclose(
        np.linalg.norm(moved.numpy().reshape(3, -1), axis=1),
        np.linalg.norm(indicators.reshape(3, -1), axis=1),
        rtol=1e-5,
    )


def test_noise_is_as_large_in_every_group():
    # Groups of 1, 4 and 59 pixels; 4000 maps of variance 2.25.
    labels = np.repeat([0, 1, 2], [1, 4, 59]).reshape(1, 8, 8)
    noise = 1.5 * np.random.default_rng(1).standard_normal((4000, 8, 8, 1))
    for weights, expected in (("sqrt", [1, 1, 1]), ("mean", [1, 1 / 4, 1 / 59])):
        grouped = tss.group_map(noise, labels[0], weights).reshape(4000, -1)
        variance = grouped.var(axis=0)[[0, 1, 5]] / 2.25
        np.testing.assert_allclose(variance, expected, rtol=0.12)


def test_the_first_proposition_holds_for_the_mean_alone():
    # A group of one value v: ‖map‖ = v·√|S|, and by "sqrt" v·|S|. In the indicators'
    # own coordinates, one value a group, no vector gets longer either way.
    ones = np.ones((1, 3, 3, 1))
    one_group = np.zeros((1, 3, 3), int)
    assert np.linalg.norm(tss.group_map(ones, one_group)) == pytest.approx(3)
    assert np.linalg.norm(tss.group_map(ones, one_group, "sqrt")) == pytest.approx(9)
    for one, labels in zip(MAPS, SEGMENTS):
        rooted = tss.group_map(one[None], labels, "sqrt")[0]
        first = np.unique(labels, return_index=True)[1]
        per_group = rooted.reshape(-1, 3)[first]
        assert np.linalg.norm(per_group) <= np.linalg.norm(one)


def test_serialises():
    for kind in (GroupMean, GroupIndicator):
        layer = kind(weights="sqrt")
        config = keras.saving.serialize_keras_object(layer)
        again = keras.saving.deserialize_keras_object(config)
        assert again.group_weights == "sqrt" and again.weights == []
        old = {k: v for k, v in layer.get_config().items() if k != "weights"}
        assert kind.from_config(old).group_weights == "mean"


@pytest.mark.parametrize(
    "make",
    [
        lambda: GroupMean(weights="root"),
        lambda: GroupIndicator(weights="root"),
        lambda: tss.group_map(MAPS, SEGMENTS, "root"),
    ],
)
def test_unknown_weights(make):
    with pytest.raises(ValueError, match=r"weights must be one of .*'sqrt'.*'root'"):
        make()
