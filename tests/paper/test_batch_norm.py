"""The fused batch norm is Keras' own, step by step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.paper import training
from tf_superpixel_saliency.paper.batch_norm import (
    FusedBatchNormalization,
    with_fused_norms,
    with_plain_norms,
)
from tf_superpixel_saliency.paper.resnet import build_resnet18

RANDOM = np.random.default_rng(3)
SETTINGS = {"momentum": 0.8, "epsilon": 1e-5}


def pair(dtype="float32"):
    """Keras' layer and ours, with the same weights, none of them trivial."""
    layers = [
        kind(**SETTINGS, dtype=dtype)
        for kind in (keras.layers.BatchNormalization, FusedBatchNormalization)
    ]
    weights = [RANDOM.uniform(0.5, 2, 5) for _ in range(4)]
    for layer in layers:
        layer.build((None, 6, 7, 5))
        layer.set_weights(weights)
    return layers


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_training_step_is_that_of_keras(batch, in_graph, dtype):
    images = RANDOM.normal(2, 3, (batch, 6, 7, 5)).astype(dtype)
    upstream = RANDOM.normal(size=images.shape).astype(dtype)

    def step(layer, images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = layer(images, training=True)
        sources = [images, layer.gamma.value, layer.beta.value]
        return output, *tape.gradient(output, sources, upstream)

    found = []
    for layer in pair(dtype):
        run = tf.function(step) if in_graph else step
        results = run(layer, tf.constant(images))
        found.append([*results, *layer.get_weights()])
    for ours, theirs in zip(found[1], found[0]):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


def test_moving_statistics_by_hand():
    layer = pair()[1]
    mean, variance = layer.get_weights()[2:]
    images = RANDOM.normal(2, 3, (2, 1, 2, 5)).astype("float32")
    layer(images, training=True)
    wanted = (
        0.8 * mean + 0.2 * images.mean(axis=(0, 1, 2)),
        # Over 4 pixels, not over 3: here that would be a third more.
        0.8 * variance + 0.2 * images.var(axis=(0, 1, 2)),
    )
    for ours, want in zip(layer.get_weights()[2:], wanted):
        np.testing.assert_allclose(ours, want, rtol=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
def test_moving_statistics_serve_where_nothing_is_trained(frozen):
    images = RANDOM.normal(2, 3, (2, 6, 7, 5)).astype("float32")
    outputs = []
    for layer in pair():
        layer.trainable = not frozen
        before = layer.get_weights()
        outputs.append(layer(images, training=frozen).numpy())
        for one, two in zip(before, layer.get_weights()):
            np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(*outputs)


def test_a_network_is_trained_as_with_keras_own_norms():
    plain = build_resnet18((8, 8, 3), 3, width=1 / 16, seed=4)
    fused = with_fused_norms(plain)
    images = RANDOM.uniform(0, 255, (16, 8, 8, 3)).astype("float32")
    labels = RANDOM.integers(0, 3, 16)
    for model in (plain, fused):
        training._compile(model, steps=40)
        for _ in range(2):
            model.train_on_batch(images, labels)
    for one, two in zip(plain.get_weights(), fused.get_weights()):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)


def test_there_and_back_again():
    plain = build_resnet18((8, 8, 3), 3, width=1 / 16, seed=4)
    fused = with_fused_norms(plain)
    training._compile(fused, steps=40)
    again = with_plain_norms(fused)
    assert getattr(again, "optimizer", None) is None
    kinds = [[type(layer) for layer in m.layers] for m in (plain, fused, again)]
    assert kinds[0] == kinds[2]
    norms = (keras.layers.BatchNormalization, FusedBatchNormalization)
    assert kinds[1] == [norms[1] if kind is norms[0] else kind for kind in kinds[0]]
    assert kinds[1].count(norms[1]) == 20
    configs = [[layer.get_config() for layer in m.layers] for m in (plain, again)]
    assert configs[0] == configs[1]
    for one, two in zip(plain.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(one, two)
