"""Models of every kind, explained alike and left as they were."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import (
    CLASSES,
    SIZE,
    classifier,
    photos,
    relative_error,
)


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.fixture(scope="module")
def expected(model):
    return explain(model)


def explain(model):
    explainer = tss.SmoothGrad(model, tss.Quickshift(), num_samples=3)
    out = explainer(photos(), targets=[4, 0, -1])
    assert out["status"].numpy().tolist() == [0, 0, 0]
    return out["maps"].numpy()


class Subclassed(keras.Model):
    """Whose call takes dropout for granted unless told otherwise."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.dropout = keras.layers.Dropout(0.5)

    def call(self, images, training=True):
        return self.inner(self.dropout(images, training=training))


LOADED = []  # a part of a SavedModel doesn't keep the whole alive


def saved(model, tmp_path):
    model.export(str(tmp_path / "model"))
    LOADED.append(tf.saved_model.load(str(tmp_path / "model")))
    return LOADED[-1]


def functional(model):
    inputs = keras.Input(SIZE)
    x = inputs
    for layer in model.layers:
        x = layer(x)
    return keras.Model(inputs, x)


def nested(model):
    inputs = keras.Input(SIZE)
    return keras.Model(inputs, functional(model)(keras.layers.Dropout(0.3)(inputs)))


def never_called(model):
    new = keras.Sequential(
        [type(layer).from_config(layer.get_config()) for layer in model.layers]
    )
    assert not new.built
    for weight, layer in zip(model.layers, new.layers):
        layer.build((None, *weight.input.shape[1:]))
        layer.set_weights(weight.get_weights())
    return new


KINDS = {
    "functional": lambda model, path: functional(model),
    "nested, with dropout": lambda model, path: nested(model),
    "sequential, never called": lambda model, path: never_called(model),
    "subclassed": lambda model, path: Subclassed(model),
    "saved model": saved,
    "its serve": lambda model, path: saved(model, path).serve,
    "its signature": lambda model, path: saved(model, path).signatures["serve"],
    "function": lambda model, path: lambda x: model(x, training=False),
    "tf.function": lambda model, path: tf.function(lambda x: model(x, training=False)),
    "one of several outputs": lambda model, path: keras.Model(
        model.inputs, {"class": model.outputs[0]}
    ),
}


@pytest.mark.cases(1)
@pytest.mark.parametrize("kind", KINDS)
def test_models_of_every_kind(model, expected, kind, tmp_path):
    other = KINDS[kind](model, tmp_path)
    assert relative_error(explain(other), expected).max() < 1e-5


def test_logits_and_softmax_have_the_same_map(expected):
    logits = classifier(activation=None)
    assert relative_error(explain(logits), expected).max() < 1e-5


def test_preprocessing_inside_and_outside(model):
    # d/dx of f(s·x + b) is s times that of f: the same map but for the factor.
    inner = keras.Sequential([keras.Input(SIZE), *model.layers[1:]])
    scaled = photos() / 127.5 - 1
    layer = tss.Quickshift(value_range=(-1, 1))
    outside = tss.SmoothGrad(inner, layer, num_samples=3)(scaled, [4, 0, -1])
    inside = tss.SmoothGrad(model, tss.Quickshift(), num_samples=3)(
        photos(), [4, 0, -1]
    )
    np.testing.assert_array_equal(outside["segments"], inside["segments"])
    assert relative_error(outside["maps"], inside["maps"].numpy() * 127.5).max() < 1e-5


def test_new_weights_are_explained():
    model, other = classifier(seed=0), classifier(seed=9)
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    before = explainer(photos())["maps"].numpy()
    explainer.predict(photos(), verbose=0)
    model.set_weights(other.get_weights())
    expected = tss.SimpleGradient(other, tss.SquareGrid(size=3))(photos())
    for out in (explainer(photos()), explainer.predict(photos(), verbose=0)):
        assert relative_error(out["maps"], before).max() > 0.1
        assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.optimizer.learning_rate = 0.5
    model.fit(photos(8), np.arange(8) % CLASSES, epochs=2, verbose=0)
    fitted = tss.SimpleGradient(model, tss.SquareGrid(size=3))(photos())["maps"]
    assert relative_error(fitted, expected["maps"]).max() > 1e-3
    assert relative_error(explainer(photos())["maps"], fitted).max() < 1e-5


@pytest.mark.thorough
def test_the_model_is_left_as_it_was():
    model = classifier()
    model.add(keras.layers.BatchNormalization())
    model.layers[1].trainable = False
    model.compile("adam", "mse", metrics=["mae"], jit_compile=False)
    weights = model.get_weights()
    names = [weight.path for weight in model.weights]
    flags = [layer.trainable for layer in model.layers]
    optimizer, config = model.optimizer, model.get_config()
    explainer = tss.IntegratedGradients(
        model, num_steps=3, model_output="logit", score="logit"
    )
    explainer.compile(jit_compile=True)
    explainer.predict(photos(), verbose=0)
    explainer.compile(jit_compile=False)
    explainer(photos())
    for before, after in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(before, after)
    assert [weight.path for weight in model.weights] == names
    assert [layer.trainable for layer in model.layers] == flags
    assert model.optimizer is optimizer and model.jit_compile is False
    assert model.compiled and model.get_config() == config


def test_half_precision(model):
    # The whole program may run under the policy, explainer and super-pixels too.
    images = photos()
    expected = tss.SimpleGradient(model, tss.Quickshift())(images, [4, 0, 2])
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = classifier()
        explainer = tss.SimpleGradient(half, tss.Quickshift())
        out = explainer(images, [4, 0, 2])
        predicted = explainer.predict(images, targets=[4, 0, 2], verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(model.get_weights())
    assert half.layers[2].compute_dtype == "float16"
    for one in (out, predicted):
        # Images that were rounded to half precision would fall apart otherwise.
        np.testing.assert_array_equal(one["segments"], expected["segments"])
        assert relative_error(one["maps"], expected["maps"]).max() < 0.02
        assert relative_error(one["maps"], expected["maps"]).max() > 1e-6
