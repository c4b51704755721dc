"""Batch norms folded: against the model itself, by hand, and where they must stay."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.explainers.frozen.model import FrozenModel
from tf_superpixel_saliency.explainers.frozen.steps import CannotFreeze

LAYERS = {
    "conv": lambda **k: keras.layers.Conv2D(4, 3, padding="same", **k),
    "dilated": lambda **k: keras.layers.Conv2D(4, 3, dilation_rate=2, **k),
    "grouped": lambda **k: keras.layers.Conv2D(4, 3, groups=2, **k),
    "depthwise": lambda **k: keras.layers.DepthwiseConv2D(
        3, depth_multiplier=2, strides=2, **k
    ),
    "separable": lambda **k: keras.layers.SeparableConv2D(4, 3, **k),
    "transposed": lambda **k: keras.layers.Conv2DTranspose(4, 3, strides=2, **k),
    "dense": lambda **k: keras.layers.Dense(4, **k),
}


def randomised(model, seed=0):
    """All weights drawn anew, variances positive: nothing is 0 or 1 by default."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.path else -1.0
        weight.assign(random.uniform(low, 1.5, weight.shape))
    return model


def plain(model):
    return lambda images: model(images, training=False)


def frozen_function(model):
    frozen = FrozenModel(model)
    return lambda images: frozen(images, frozen.prepare())


def images_for(model, count=2):
    shape = (count, *model.inputs[0].shape[1:])
    return tf.constant(np.random.default_rng(1).normal(size=shape), tf.float32)


def gradient(function, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = tf.reduce_sum(tf.sin(function(images)))
    return tape.gradient(score, images)


def assert_same(model):
    images = images_for(model)
    found, expected = frozen_function(model), plain(model)
    np.testing.assert_allclose(found(images), expected(images), rtol=1e-4, atol=1e-5)
    slope = gradient(expected, images).numpy()
    np.testing.assert_allclose(
        gradient(found, images), slope, atol=1e-5 * np.abs(slope).max()
    )


@pytest.mark.parametrize("use_bias", [False, True], ids=["no_bias", "bias"])
@pytest.mark.parametrize("name", LAYERS)
def test_each_kind_of_layer(name, use_bias):
    inputs = keras.Input((8, 8, 4))
    x = LAYERS[name](use_bias=use_bias)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation("tanh")(x)
    model = randomised(keras.Model(inputs, x))
    assert FrozenModel(model).num_folded == 1
    assert_same(model)


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("scale", [False, True])
def test_norms_without_parts(center, scale):
    model = keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            keras.layers.Conv2D(3, 3),
            keras.layers.BatchNormalization(center=center, scale=scale, epsilon=0.1),
        ]
    )
    assert_same(randomised(model))


def test_by_hand():
    model = keras.Sequential(
        [
            keras.Input((1, 1, 1)),
            keras.layers.Conv2D(1, 1),
            keras.layers.BatchNormalization(epsilon=0.25),
        ]
    )
    # 2x + 3, then γ = 5, β = 7, mean 11, variance 2: s = 5 / 1.5.
    kernel, bias = np.float32([[[[2]]]]), np.float32([3])
    model.set_weights([kernel, bias, *np.float32([[5], [7], [11], [2]])])
    ((kernel, bias, _),) = FrozenModel(model).prepare().values()
    np.testing.assert_allclose(kernel.numpy().item(), 2 * 5 / 1.5, rtol=1e-6)
    np.testing.assert_allclose(bias.numpy().item(), 7 + (3 - 11) * 5 / 1.5, rtol=1e-6)


def two_of(layer):
    """A model in which the convolution's output goes two ways."""
    inputs = keras.Input((6, 6, 2))
    x = layer(inputs)
    normed = keras.layers.BatchNormalization()(x)
    return keras.Model(inputs, keras.layers.Add()([x, normed]))


class OwnConvolution(keras.layers.Conv2D):
    def call(self, inputs):
        return 2 * super().call(inputs)


def chain(*layers):
    return keras.Sequential([keras.Input((6, 6, 2)), *layers])


def with_a_foldable(model):
    """In front of it a pair that can be folded, so that the model is frozen."""
    inputs = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(2, 3, use_bias=False)(inputs)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(inputs, model(x))


STAYING = {
    "activation": lambda: chain(
        keras.layers.Conv2D(3, 3, activation="tanh"), keras.layers.BatchNormalization()
    ),
    "two ways": lambda: two_of(keras.layers.Conv2D(3, 3)),
    "other axis": lambda: chain(
        keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization(axis=1)
    ),
    "own class": lambda: chain(OwnConvolution(3, 3), keras.layers.BatchNormalization()),
    "norm first": lambda: chain(
        keras.layers.BatchNormalization(), keras.layers.Conv2D(3, 3)
    ),
    "float16": lambda: chain(
        keras.layers.Conv2D(3, 3, dtype="mixed_float16"),
        keras.layers.BatchNormalization(dtype="mixed_float16"),
        keras.layers.Activation("linear", dtype="float32"),
    ),
}


@pytest.mark.parametrize("name", STAYING)
def test_norms_that_stay(name):
    model = randomised(with_a_foldable(STAYING[name]()))
    assert FrozenModel(model).num_folded == 1
    if name != "float16":
        assert_same(model)


def test_an_output_of_the_model_stays():
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(3, 3)(inputs)
    normed = keras.layers.BatchNormalization()(x)
    frozen = FrozenModel(keras.Model(inputs, [x, normed]))
    assert frozen.num_folded == 0


def test_what_is_dead_in_inference_is_passed_by():
    model = chain(
        keras.layers.Conv2D(3, 3),
        keras.layers.GaussianNoise(1.0),
        keras.layers.SpatialDropout2D(0.5),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
    )
    frozen = FrozenModel(randomised(model))
    assert frozen.num_folded == 1
    assert len(frozen._steps.steps) == 1
    assert_same(model)


def test_models_inside_of_models_and_one_that_runs_twice():
    block = keras.Sequential(
        [
            keras.layers.Conv2D(2, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("tanh"),
        ]
    )
    inputs = keras.Input((6, 6, 2))
    x = block(inputs)
    outer = keras.Model(inputs, keras.layers.Add()([block(x), x]))
    again = keras.Input((6, 6, 2))
    model = randomised(keras.Model(again, outer(outer(again))))
    assert FrozenModel(model).num_folded == 4
    assert_same(model)


def test_the_model_is_left_as_it_was():
    model = randomised(
        chain(keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization())
    )
    before, weights = model.to_json(), model.get_weights()
    assert_same(model)
    assert model.to_json() == before
    for one, other in zip(model.get_weights(), weights):
        np.testing.assert_array_equal(one, other)


def test_nothing_to_gain_is_said():
    with pytest.raises(CannotFreeze, match="no batch norm follows"):
        FrozenModel(chain(keras.layers.Flatten(), keras.layers.Dense(2)))


def test_a_model_with_a_call_of_its_own():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(CannotFreeze, match="does not show its layers"):
        FrozenModel(Own())
