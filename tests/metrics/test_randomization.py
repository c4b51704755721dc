"""Layers randomised one after the other, in copies of models of every kind."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tf_superpixel_saliency.metrics.model_layers import weighted_layers
from tf_superpixel_saliency.metrics.randomization import randomize_layers

IMAGES = np.random.default_rng(0).uniform(0, 255, (20, 6, 6, 3)).astype(np.float32)


def block(channels, name):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(channels, 3, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Conv2D(channels, 1, name="second")(x)
    return keras.Model(inputs, x, name=name)


def functional():
    """A nested model, batch norms, dropout, a frozen layer, and a preparation."""
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Normalization(
        name="prepare", mean=[127.0] * 3, variance=[5e3] * 3
    )(inputs)
    x = block(4, "block")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.5)(keras.layers.ReLU()(x))
    x = keras.layers.DepthwiseConv2D(3, name="depthwise", trainable=False)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(3, activation="softmax", name="top")(x)
    return trained(keras.Model(inputs, x))


def sequential():
    layers = [keras.layers.Conv2D(4, 3, name="conv"), keras.layers.Flatten()]
    top = keras.layers.Dense(3, activation="softmax", name="top")
    return trained(keras.Sequential([keras.Input((6, 6, 3)), *layers, top]))


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = keras.layers.Conv2D(4, 3, name="conv")
        self.flat = keras.layers.Flatten()
        self.top = keras.layers.Dense(3, activation="softmax", name="top")

    def call(self, images):
        return self.top(self.flat(self.conv(images)))


def subclassed():
    model = Subclassed()
    model(IMAGES)
    return trained(model)


def trained(model):
    """Weights that no initializer would draw: all between 1 and 2."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(1, 2, w.shape) for w in model.get_weights()])
    return model


def weights_of(model):
    return {name: layer.get_weights() for name, layer in weighted_layers(model)}


def changed(before, after):
    """Names of the layers with any weight that differs."""
    return {
        name
        for name, weights in before.items()
        if any(not np.array_equal(a, b) for a, b in zip(weights, after[name]))
    }


NAMES = ["block/first", "block/norm", "block/second", "norm", "depthwise", "top"]


def test_layers_are_named_from_input_to_output():
    assert [name for name, _ in weighted_layers(functional())] == NAMES


@pytest.mark.parametrize("in_place", [False, True])
def test_cascading_goes_down_from_the_output(in_place):
    model = functional()
    before = weights_of(model)
    gone, copies = set(), []
    for name, copy in randomize_layers(model, in_place=in_place):
        gone.add(name)
        assert changed(before, weights_of(copy)) == gone
        copies.append(copy)
    assert list(gone) != [] and gone == set(NAMES)
    assert len({id(copy) for copy in copies}) == (1 if in_place else len(NAMES))
    assert not any(copy is model for copy in copies)
    assert changed(before, weights_of(model)) == set()


def test_copies_of_their_own_can_be_collected():
    model = functional()
    before = weights_of(model)
    found = dict(randomize_layers(model))
    assert list(found) == NAMES[::-1]
    for name, copy in found.items():
        gone = set(NAMES[NAMES.index(name) :])
        assert changed(before, weights_of(copy)) == gone


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("draw", ["initializer", "shuffle"])
def test_independent_changes_one_layer(in_place, draw):
    model = functional()
    before = weights_of(model)
    steps = randomize_layers(model, "independent", draw=draw, in_place=in_place)
    for name, copy in steps:
        assert changed(before, weights_of(copy)) == {name}


@pytest.mark.parametrize("make", [sequential, subclassed])
def test_other_kinds_of_models(make):
    model = make()
    before, outputs = weights_of(model), model(IMAGES).numpy()
    found = dict(randomize_layers(model))
    assert list(found) == ["top", "conv"]
    assert changed(before, weights_of(found["top"])) == {"top"}
    assert np.abs(found["conv"](IMAGES) - outputs).max() > 0.01
    np.testing.assert_array_equal(model(IMAGES), outputs)


def test_a_layer_gets_the_same_weights_in_either_order():
    model = functional()
    cascading = dict(randomize_layers(model, seed=3, layers=["block/first"]))[
        "block/first"
    ]
    independent = dict(randomize_layers(model, "independent", seed=3))
    for name in NAMES:
        one, two = weights_of(cascading)[name], weights_of(independent[name])[name]
        for a, b in zip(one, two):
            np.testing.assert_array_equal(a, b)


def test_seeds_make_the_weights():
    model = sequential()
    one, again, other = (
        dict(randomize_layers(model, seed=seed))["conv"].get_weights()
        for seed in (0, 0, 1)
    )
    for a, b, c in zip(one, again, other):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.array_equal(a, c)


def test_weights_come_from_the_layers_own_initializers():
    inputs = keras.Input((40,))
    x = keras.layers.Dense(
        500,
        kernel_initializer=keras.initializers.RandomUniform(5, 6, seed=1),
        bias_initializer=keras.initializers.Constant(7),
        name="dense",
    )(inputs)
    model = trained(keras.Model(inputs, x))
    ((_, copy),) = randomize_layers(model)
    kernel, bias = copy.get_weights()
    assert 5 <= kernel.min() < 5.01 < 5.99 < kernel.max() <= 6
    np.testing.assert_array_equal(bias, 7)
    # Not the numbers of the layer's own seed, from which training may have started.
    own = keras.initializers.RandomUniform(5, 6, seed=1)((40, 500))
    assert np.abs(kernel - own).max() > 0.1


def test_shuffling_keeps_the_values():
    model = functional()
    before = weights_of(model)
    steps = randomize_layers(model, draw="shuffle", layers=["block/first"])
    ((_, copy),) = steps
    for name, weights in weights_of(copy).items():
        for a, b in zip(before[name], weights):
            np.testing.assert_array_equal(np.sort(a, axis=None), np.sort(b, axis=None))
    # A batch norm's channels stay together.
    rows = {tuple(row) for row in np.stack(before["norm"], 1)}
    assert {tuple(row) for row in np.stack(weights_of(copy)["norm"], 1)} == rows


@keras.saving.register_keras_serializable(package="tests")
class Scale(keras.layers.Layer):
    """A weight whose initializer the layer doesn't keep."""

    def build(self, shape):
        self.factors = self.add_weight(shape=(shape[-1],), name="factors")

    def call(self, inputs):
        return inputs * self.factors


def test_weights_without_a_known_initializer_are_shuffled():
    model = trained(keras.Sequential([keras.Input((50,)), Scale()]))
    ((_, copy),) = randomize_layers(model)
    (before,), (after,) = model.get_weights(), copy.get_weights()
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(np.sort(before), np.sort(after))


def test_some_layers_alone():
    model = functional()
    before = weights_of(model)
    found = dict(randomize_layers(model, layers=["norm", "top"]))
    assert list(found) == ["top", "norm"]
    assert changed(before, weights_of(found["norm"])) == set(NAMES[3:])
    found = dict(randomize_layers(model, "independent", layers=["norm"]))
    assert changed(before, weights_of(found["norm"])) == {"norm"}


def test_without_images_batch_norms_start_anew():
    ((_, copy),) = randomize_layers(functional(), layers=["block/first"])
    gamma, beta, mean, variance = copy.get_layer("norm").get_weights()
    for weight, value in zip((gamma, beta, mean, variance), (1, 0, 0, 1)):
        np.testing.assert_array_equal(weight, value)


def signal(model, name):
    """What goes into the batch norm `name` of the outer model, at inference."""
    return keras.Model(model.input, model.get_layer(name).input)(IMAGES).numpy()


@pytest.mark.parametrize("order", ["cascading", "independent"])
def test_with_images_batch_norms_fit_the_new_signal(order):
    model = functional()
    before = weights_of(model)
    for name, copy in randomize_layers(model, order, images=IMAGES, in_place=True):
        after = weights_of(copy)
        if NAMES.index(name) <= NAMES.index("norm"):
            values = signal(copy, "norm").reshape(-1, 4)
            np.testing.assert_allclose(after["norm"][2], values.mean(0), rtol=1e-3)
            np.testing.assert_allclose(after["norm"][3], values.var(0), rtol=1e-3)
        else:
            assert "norm" not in changed(before, after)
        if NAMES.index(name) > NAMES.index("block/norm"):
            assert "block/norm" not in changed(before, after)
        norm = copy.get_layer("norm")
        assert (norm.momentum, norm.trainable) == (0.99, True)
        assert copy.get_layer("depthwise").trainable is False
    assert changed(before, weights_of(model)) == set()


def test_with_images_the_signal_neither_grows_nor_vanishes():
    """All layers are random, and the outputs still differ between images."""
    steps = randomize_layers(functional(), images=IMAGES, layers=["block/first"])
    ((_, copy),) = steps
    values = signal(copy, "depthwise")
    assert 0.1 < values.std() < 3


def test_a_copy_of_ones_own():
    model = sequential()

    def copy(one):
        clone = keras.models.clone_model(one)
        clone.set_weights(one.get_weights())
        return clone

    assert list(dict(randomize_layers(model, copy=copy))) == ["top", "conv"]
    with pytest.raises(ValueError, match="isn't one"):
        next(randomize_layers(model, copy=lambda one: one))
    with pytest.raises(ValueError, match="differs from it"):
        next(randomize_layers(model, copy=keras.models.clone_model))


def test_a_model_that_cannot_be_copied():
    class Unregistered(Subclassed):  # where no import finds it
        pass

    model = Unregistered()
    model(IMAGES)
    with pytest.raises(ValueError, match="register_keras_serializable"):
        next(randomize_layers(model))


@pytest.mark.parametrize(
    ("model", "arguments", "error", "text"),
    [
        (len, {}, TypeError, "must be a Keras model"),
        (keras.Sequential([keras.layers.Dense(2)]), {}, ValueError, "Build it first"),
        (sequential, {"order": "down"}, ValueError, "order must be one of"),
        (sequential, {"draw": "normal"}, ValueError, "draw must be one of"),
        (sequential, {"layers": ["a"]}, ValueError, r"\['a'\]. There are conv, top"),
        (sequential, {"seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_arguments_are_refused_at_once(model, arguments, error, text):
    model = model() if model is sequential else model
    with pytest.raises(error, match=text):
        randomize_layers(model, **arguments)
