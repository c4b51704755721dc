"""Scores against float64 where a softmax is saturated, and who made the outputs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import scores as reference
from tf_superpixel_saliency.ops import gradients, scores

L = keras.layers
CLASSES = 6
# Multiples of 1/4 and small integers: logits are exact in float32.
WEIGHTS = np.random.default_rng(0).integers(-8, 9, (12, CLASSES)) / 4
IMAGES = np.random.default_rng(1).integers(-3, 4, (CLASSES, 2, 2, 3)).astype("float32")


def logits_of(images, offsets):
    flat = tf.reshape(images, [-1, 12])
    return flat @ tf.constant(WEIGHTS, tf.float32) + tf.constant(offsets, tf.float32)


def offsets_with_gap(gap, winner=2):
    """Biases which make one class of each image win by exactly `gap`."""
    logits = IMAGES.reshape(-1, 12).astype(np.float64) @ WEIGHTS
    others = np.delete(logits, winner, axis=1).max(axis=1)
    offsets = np.zeros_like(logits)
    offsets[:, winner] = gap + others - logits[:, winner]
    return offsets, logits + offsets


def found_gradient(make_score, offsets, targets, xla):
    def evaluate(images):
        logits = logits_of(images, offsets)
        return make_score(logits, logits, tf.constant(targets, tf.int32))

    function = tf.function(
        lambda x: gradients.input_gradient(evaluate, x), jit_compile=xla
    )
    found, score = function(tf.constant(IMAGES))
    return found.numpy(), score.value.numpy()


@pytest.mark.cases(2)
@pytest.mark.parametrize("gap", [0, 1, 20, 50, 80])
def test_softmax_keeps_its_digits_where_it_is_saturated(xla, gap):
    offsets, logits = offsets_with_gap(gap)
    targets = np.arange(CLASSES)  # the winner, and classes at e⁻ᵍᵃᵖ and below
    gradient, value = found_gradient(scores.softmax_score, offsets, targets, xla)
    for row, target in enumerate(targets):
        chosen, _, _ = reference.softmax(logits[row], target)
        if chosen < 1e-36:
            continue  # below float32's normal numbers
        np.testing.assert_allclose(value[row], chosen, rtol=1e-5)
        expected = WEIGHTS @ reference.softmax_gradient(logits[row], target)
        largest = np.abs(expected).max()
        error = np.abs(gradient[row].ravel() - expected).max()
        assert error <= 1e-5 * largest
        assert largest > 0


@pytest.mark.parametrize("gap", [20, 50, 80])
def test_the_winner_of_a_saturated_softmax_has_a_gradient(gap):
    offsets, logits = offsets_with_gap(gap)
    gradient, value = found_gradient(scores.softmax_score, offsets, [2] * 6, False)
    assert (value == 1).all()
    for row in range(len(logits)):
        expected = WEIGHTS @ reference.softmax_gradient(logits[row], 2)
        largest = np.abs(expected).max()
        np.testing.assert_allclose(
            gradient[row].ravel(), expected, rtol=0, atol=1e-5 * largest
        )


def test_what_goes_back_keeps_its_size():
    # A signal of e⁻⁸⁰ would drop below float32's 1e-38 in a network's first layers.
    offsets, _ = offsets_with_gap(80)

    def evaluate(images):
        logits = logits_of(images, offsets)
        return scores.softmax_score(logits, logits, tf.fill([CLASSES], 2))

    with tf.GradientTape() as tape:
        images = tf.constant(IMAGES)
        tape.watch(images)
        objective = evaluate(images).objective
    sizes = np.abs(tape.gradient(objective, images)).max(axis=(1, 2, 3))
    assert (sizes > 0.1).all()


@pytest.mark.parametrize("logit", [-80.0, -20.0, 0.0, 0.25, 20.0, 80.0])
def test_sigmoid_keeps_its_digits(xla, logit):
    logits = IMAGES.reshape(-1, 12).astype(np.float64) @ WEIGHTS
    offsets = logit - logits  # all classes at `logit`
    targets = np.arange(CLASSES)
    gradient, value = found_gradient(scores.sigmoid_score, offsets, targets, xla)
    for row, target in enumerate(targets):
        np.testing.assert_allclose(value[row], 1 / (1 + np.exp(-logit)), rtol=1e-5)
        expected = WEIGHTS @ reference.sigmoid_gradient([logit] * CLASSES, target)
        np.testing.assert_allclose(gradient[row].ravel(), expected, rtol=1e-5)


def test_softmax_by_hand():
    logits = tf.math.log([[1.0, 2.0, 5.0], [4.0, 4.0, 0.25]])
    score = scores.softmax_score(logits, logits, tf.constant([2, 0]))
    np.testing.assert_allclose(score.value, [5 / 8, 4 / 8.25], rtol=1e-6)
    np.testing.assert_allclose(score.objective, np.log([5 / 3, 4 / 4.25]), rtol=1e-5)
    np.testing.assert_allclose(score.factor, [15 / 64, 4 * 4.25 / 8.25**2], rtol=1e-6)


def test_one_class_is_certain_and_flat():
    logits = tf.constant([[3.0], [-2.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        score = scores.softmax_score(logits, logits, tf.constant([0, 0]))
    assert score.value.numpy().tolist() == [1, 1]
    gradient = tape.gradient(score.objective, logits) * score.factor[:, None]
    assert not gradient.numpy().any()


def test_half_precision_logits_are_scored_in_float32():
    logits = tf.constant([[0.0, 12.0]], tf.float16)
    score = scores.softmax_score(logits, logits, tf.constant([0]))
    assert score.value.dtype == tf.float32
    np.testing.assert_allclose(score.value, 1 / (1 + np.exp(12)), rtol=1e-5)


def test_resolve_targets_and_pick(xla):
    outputs = tf.constant([[1.0, 3.0, 2.0], [5.0, 4.0, 5.0], [0.0, 1.0, 9.0]])

    def run(targets):
        resolved = scores.resolve_targets(outputs, targets)
        return resolved, scores.pick(outputs, resolved)

    run = tf.function(run, jit_compile=xla)
    resolved, picked = run(tf.constant([-1, -1, 0]))
    assert resolved.numpy().tolist() == [1, 0, 0]
    assert picked.numpy().tolist() == [3, 5, 0]
    resolved, picked = run(tf.constant([7, -5, 2]))  # flagged elsewhere
    assert resolved.numpy().tolist() == [7, -5, 2]
    assert picked.numpy().tolist() == [2, 5, 9]


def test_plain_score_is_taken_as_it_is():
    values = tf.constant([0.3, -4.0])
    score = scores.plain_score(values, values[:, None], tf.constant([-1, -1]))
    assert score.value.numpy().tolist() == values.numpy().tolist()
    assert score.factor.numpy().tolist() == [1, 1]


# -- who made the outputs ------------------------------------------------------------


def network(*tail):
    return keras.Sequential([keras.Input((4, 4, 3)), *tail])


def dense(*tail, **kwargs):
    return network(L.Flatten(), L.Dense(5, **kwargs), *tail)


def ensemble(activation):
    images = keras.Input((4, 4, 3))
    flat = L.Flatten()(images)
    members = [L.Dense(5, activation=activation)(flat) for _ in range(2)]
    return keras.Model(images, L.Average()(members))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flatten, self.dense = L.Flatten(), L.Dense(5)

    def call(self, images):
        return keras.ops.softmax(self.dense(self.flatten(images)))


MATRIX = tf.Variable(np.random.default_rng(2).normal(size=(48, 5)), dtype=tf.float32)


def linear(images):
    return tf.reshape(images, [-1, 48]) @ MATRIX


def softmax(images):
    return tf.nn.softmax(linear(images))


@tf.custom_gradient
def with_gradient_of_its_own(values):
    return tf.identity(values), lambda upstream: upstream


# name: (model, kind in a graph, whether its logits can be reached)
MODELS = {
    "dense": (lambda: dense(activation="softmax"), "softmax", True),
    "softmax layer": (lambda: dense(L.Softmax()), "softmax", True),
    "activation": (lambda: dense(L.Activation("softmax")), "softmax", True),
    "dropout after it": (
        lambda: dense(L.Dropout(0.5), activation="softmax"),
        "softmax",
        True,
    ),
    "subclassed": (Subclassed, "softmax", True),
    "sigmoid": (lambda: dense(activation="sigmoid"), "sigmoid", True),
    "float16 inside": (
        lambda: dense(L.Activation("softmax", dtype="float32"), dtype="mixed_float16"),
        "softmax",
        True,
    ),
    "float16": (
        lambda: dense(activation="softmax", dtype="mixed_float16"),
        "softmax",
        True,
    ),
    "logits": (dense, "linear", False),
    "no bias": (lambda: dense(use_bias=False), "linear", False),
    "pooled convolution": (
        lambda: network(L.Conv2D(5, 3), L.GlobalAveragePooling2D()),
        "linear",
        False,
    ),
    "batch norm last": (lambda: dense(L.BatchNormalization()), "linear", False),
    "rescaled": (lambda: dense(L.Rescaling(2.0)), "linear", False),
    "flattened convolution": (
        lambda: network(L.Conv2D(5, 4), L.Flatten()),
        "linear",
        False,
    ),
    "flattened softmax": (
        lambda: network(L.Conv2D(5, 4, activation="softmax"), L.Flatten()),
        "softmax",
        False,
    ),
    "ensemble": (lambda: ensemble("softmax"), "softmax", False),
    "ensemble of sigmoids": (lambda: ensemble("sigmoid"), "sigmoid", False),
    "ensemble of logits": (lambda: ensemble(None), "linear", False),
    "relu": (lambda: dense(activation="relu"), "", False),
    "log softmax": (lambda: dense(activation="log_softmax"), "", False),
    "function": (lambda: softmax, "softmax", True),
    "sigmoid function": (lambda: lambda x: tf.nn.sigmoid(linear(x)), "sigmoid", True),
    "linear function": (lambda: linear, "linear", False),
    "temperature": (lambda: lambda x: linear(x) / 3.0, "linear", False),
    "squeezed": (
        lambda: (
            lambda x: tf.squeeze(tf.nn.softmax(linear(x)[:, None, None]), axis=[1, 2])
        ),
        "softmax",
        False,
    ),
    "cast": (
        lambda: lambda x: tf.cast(tf.nn.softmax(tf.cast(linear(x), "half")), "float32"),
        "softmax",
        True,
    ),
    "mean of two": (
        lambda: lambda x: (softmax(x) + softmax(2 * x)) / 2,
        "softmax",
        False,
    ),
    "weighted mean": (
        lambda: lambda x: 0.5 * softmax(x) + 0.5 * softmax(2 * x),
        "softmax",
        False,
    ),
    "stacked mean": (
        lambda: lambda x: tf.reduce_mean(tf.stack([softmax(x), softmax(-x)]), 0),
        "softmax",
        False,
    ),
    "custom gradient": (
        lambda: lambda x: with_gradient_of_its_own(softmax(x)),
        "softmax",
        True,
    ),
    "tf.function": (lambda: tf.function(softmax), "softmax", False),
    "compiled": (lambda: tf.function(softmax, jit_compile=True), "softmax", False),
    "tf.function of a model": (
        lambda: tf.function(dense(activation="softmax")),
        "softmax",
        False,
    ),
    "mixture": (lambda: lambda x: softmax(x) + linear(x), "", False),
    "swish": (lambda: lambda x: linear(x) * tf.sigmoid(linear(x)), "", False),
    "normalised": (
        lambda: lambda x: linear(x) / tf.norm(linear(x), axis=1, keepdims=True),
        "",
        False,
    ),
    "by hand": (
        lambda: (
            lambda x: (
                tf.exp(linear(x))
                / tf.reduce_sum(tf.exp(linear(x)), axis=1, keepdims=True)
            )
        ),
        "",
        False,
    ),
    "numpy": (
        lambda: lambda x: tf.numpy_function(lambda v: v[:, 0, 0], [x], tf.float32),
        "",
        False,
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_find_activation_in_a_graph(name):
    make, kind, reachable = MODELS[name]
    model = make()
    found = []

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 3], tf.float32)])
    def trace(images):
        outputs = model(images)
        activation = scores.find_activation(outputs)
        found.append(activation)
        return outputs, outputs if activation.logits is None else activation.logits

    images = np.random.default_rng(3).normal(size=(2, 4, 4, 3)).astype("float32")
    outputs, logits = (np.asarray(v, np.float64) for v in trace(images))
    assert found[0].kind == kind
    assert (found[0].logits is not None) == reachable
    if reachable:  # they are the logits: they give the outputs
        activations = {
            "softmax": lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True),
            "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        }
        step = 1e-3 if name in ("float16", "cast") else 1e-6  # float16's own
        np.testing.assert_allclose(outputs, activations[kind](logits), step, step)


EAGER = {
    "dense": "softmax",
    "softmax layer": "softmax",
    "subclassed": "softmax",
    "sigmoid": "sigmoid",
    "logits": "",
    "function": "",
    "tf.function": "",
}


@pytest.mark.parametrize("name", EAGER)
def test_in_eager_mode_only_what_keras_notes_is_known(name):
    images = np.random.default_rng(3).normal(size=(2, 4, 4, 3)).astype("float32")
    activation = scores.find_activation(MODELS[name][0]()(images))
    assert activation.kind == EAGER[name]
    assert (activation.logits is None) == (activation.kind == "")
