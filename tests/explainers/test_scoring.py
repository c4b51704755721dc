"""Scores of models: probabilities, logits, callables, and what is asked for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import scores as reference
from tf_superpixel_saliency.explainers.scoring import Scorer

L = keras.layers
SIZE = (3, 4, 2)
WEIGHTS = np.random.default_rng(0).integers(-8, 9, (24, 5)) / 4
IMAGES = np.random.default_rng(1).integers(-3, 4, (4, *SIZE)).astype("float32")
LOGITS = IMAGES.reshape(4, 24).astype(np.float64) @ WEIGHTS
TARGETS = np.array([0, 3, -1, 4], np.int32)
RESOLVED = np.where(TARGETS < 0, LOGITS.argmax(axis=1), TARGETS)


def linear(images):
    return tf.reshape(images, [-1, 24]) @ tf.constant(WEIGHTS, tf.float32)


def dense(activation, dtype="float32"):
    layer = L.Dense(5, activation, use_bias=False, dtype=dtype)
    model = keras.Sequential([keras.Input(SIZE), L.Flatten(), layer])
    layer.set_weights([WEIGHTS])
    return model


def softmax(images):
    return tf.nn.softmax(linear(images))


def opaque(images):
    return tf.exp(linear(images)) / tf.reduce_sum(tf.exp(linear(images)), 1, True)


PROBABILITY = {
    "softmax": (lambda: dense("softmax"), "auto"),
    "logits": (lambda: dense(None), "auto"),
    "logits, said so": (lambda: dense(None), "logit"),
    "function": (lambda: softmax, "auto"),
    "linear function": (lambda: linear, "auto"),
    "tf.function": (lambda: tf.function(softmax), "auto"),
    "opaque": (lambda: opaque, "probability"),
    "opaque logits": (lambda: lambda x: tf.math.log(opaque(x)), "logit"),
}


def gradient(scorer, images=IMAGES, targets=TARGETS, xla=False):
    function = tf.function(scorer.gradient, jit_compile=xla)
    found, score = function(tf.constant(images), tf.constant(targets))
    return found.numpy(), score


def assert_gradient(found, logit_gradients, tolerance=1e-5):
    for one, other in zip(found, logit_gradients):
        expected = (WEIGHTS @ other).reshape(SIZE)
        assert np.abs(one - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", PROBABILITY)
def test_probability(xla, name):
    make, output = PROBABILITY[name]
    found, score = gradient(Scorer(make(), "probability", output), xla=xla)
    pairs = list(zip(LOGITS, RESOLVED))
    probabilities = [reference.softmax(z, c)[0] for z, c in pairs]
    np.testing.assert_allclose(score.value, probabilities, rtol=2e-5)
    np.testing.assert_array_equal(score.targets, RESOLVED)
    # Where the logits are out of reach, the softmax' own rounding remains.
    rough = name in ("tf.function", "opaque")
    tolerance = 1e-4 if rough else 1e-5
    assert_gradient(
        found, [reference.softmax_gradient(z, c) for z, c in pairs], tolerance
    )


def test_probability_of_a_saturated_model():
    images = IMAGES * 8  # gaps of some hundred
    found, _ = gradient(Scorer(dense("softmax"), "probability", "auto"), images)
    for row, (logits, target) in enumerate(zip(LOGITS * 8, RESOLVED)):
        expected = reference.softmax_gradient(logits, target)
        if np.abs(expected).max() > 1e-30:
            assert_gradient(found[row : row + 1], [expected])
            assert np.abs(found[row]).max() > 0


@pytest.mark.parametrize("name", ["softmax", "logits", "function", "linear function"])
def test_logit(name):
    make, output = PROBABILITY[name]
    found, score = gradient(Scorer(make(), "logit", output))
    np.testing.assert_allclose(score.value, LOGITS[range(4), RESOLVED], rtol=1e-6)
    assert_gradient(found, np.eye(5)[RESOLVED])


def test_sigmoid():
    scorer = Scorer(dense("sigmoid"), "probability", "auto")
    found, score = gradient(scorer)
    pairs = list(zip(LOGITS, RESOLVED))
    assert_gradient(found, [reference.sigmoid_gradient(z, c) for z, c in pairs])
    expected = 1 / (1 + np.exp(-LOGITS[range(4), RESOLVED]))
    np.testing.assert_allclose(score.value, expected, rtol=1e-5)
    found, _ = gradient(Scorer(dense("sigmoid"), "logit", "auto"))
    assert_gradient(found, np.eye(5)[RESOLVED])


def test_one_sigmoid_is_a_class():
    layer = L.Dense(1, "sigmoid", use_bias=False)
    model = keras.Sequential([keras.Input(SIZE), L.Flatten(), layer])
    layer.set_weights([WEIGHTS[:, :1]])
    targets = np.array([-1, 0, -1, 0], np.int32)
    found, score = gradient(Scorer(model, "probability", "auto"), targets=targets)
    assert score.targets.numpy().tolist() == [0] * 4
    logit_gradients = [reference.sigmoid_gradient(z, 0) for z in LOGITS]
    assert_gradient(found, logit_gradients)


def test_half_precision_model():
    scorer = Scorer(dense("softmax", "mixed_float16"), "probability", "auto")
    assert scorer.half
    found, score = gradient(scorer)
    pairs = list(zip(LOGITS, RESOLVED))
    assert_gradient(found, [reference.softmax_gradient(z, c) for z, c in pairs], 5e-3)
    assert score.value.dtype == tf.float32


def test_ensemble_is_a_probability_whose_logits_are_out_of_reach():
    def ensemble(images):
        return (softmax(images) + softmax(images / 2)) / 2

    _, score = gradient(Scorer(ensemble, "probability", "auto"))
    expected = [
        (reference.softmax(z, c)[0] + reference.softmax(z / 2, c)[0]) / 2
        for z, c in zip(LOGITS, score.targets.numpy())
    ]
    np.testing.assert_allclose(score.value, expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"out of reach.*Pass a model that ends in"):
        gradient(Scorer(ensemble, "logit", "auto"))


def test_callables():
    def margin(outputs, targets):
        chosen = tf.gather(outputs, targets, axis=1, batch_dims=1)
        return chosen - tf.reduce_mean(outputs, axis=1)

    found, score = gradient(Scorer(dense(None), margin, "auto"))
    np.testing.assert_allclose(
        score.value, LOGITS[range(4), RESOLVED] - LOGITS.mean(axis=1), rtol=1e-5
    )
    assert_gradient(found, np.eye(5)[RESOLVED] - 0.2)


def test_callables_on_outputs_of_any_shape():
    def brightness(outputs, targets):
        assert targets.shape.rank == 1
        return tf.reduce_sum(outputs, [1, 2, 3])

    found, score = gradient(Scorer(lambda x: 3 * x, brightness, "auto"))
    np.testing.assert_array_equal(found, np.full(IMAGES.shape, 3))
    np.testing.assert_array_equal(score.targets, TARGETS)


def relu(images):
    return tf.nn.relu(linear(images))


def host(images):
    outputs = tf.py_function(softmax, [images], tf.float32)
    return tf.ensure_shape(outputs, [None, 5])


@pytest.mark.parametrize("model", [opaque, relu, host])
def test_an_opaque_model_is_asked_about(model):
    for score in ("probability", "logit"):
        with pytest.raises(ValueError, match=r'Can.t tell.*model_output="probability"'):
            gradient(Scorer(model, score, "auto"))


def eager_gradient(scorer):
    return scorer.gradient(tf.constant(IMAGES), tf.constant(TARGETS))[0].numpy()


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_eager_mode_knows_what_keras_notes(activation):
    scorer = Scorer(dense(activation), "probability", "auto")
    twin = getattr(reference, f"{activation}_gradient")
    assert_gradient(
        eager_gradient(scorer), [twin(z, c) for z, c in zip(LOGITS, RESOLVED)]
    )


@pytest.mark.parametrize("model", [softmax, linear])
def test_eager_mode_asks_about_the_rest(model):
    with pytest.raises(ValueError, match="Can't tell"):
        eager_gradient(Scorer(model, "probability", "auto"))
    output = "logit" if model is linear else "probability"
    found = eager_gradient(Scorer(model, "probability", output))
    pairs = zip(LOGITS, RESOLVED)
    assert_gradient(found, [reference.softmax_gradient(z, c) for z, c in pairs], 1e-4)


ERRORS = [
    (lambda: Scorer(softmax, "odds", "auto"), ["'probability', 'logit'", "'odds'"]),
    (lambda: Scorer(softmax, None, "auto"), ["score must be", "None"]),
    (
        lambda: Scorer(softmax, "logit", "softmax"),
        ["model_output must be", "'softmax'"],
    ),
    (
        lambda: gradient(Scorer(lambda x: x, "logit", "logit")),
        ["(N, classes)", "(4, 3, 4, 2)", "score=<callable"],
    ),
    (
        lambda: gradient(Scorer(lambda x: linear(x)[:, 0], "logit", "logit")),
        ["(N, classes)", "(4,)"],
    ),
    (
        lambda: gradient(Scorer(lambda x: linear(x)[:, :1], "probability", "logit")),
        ["one logit", "always 1", 'score="logit"'],
    ),
    (
        lambda: gradient(Scorer(linear, lambda outputs, targets: outputs, "auto")),
        ["shape (N,)", "(4, 5)"],
    ),
    (
        lambda: gradient(Scorer(dense(None), "logit", "probability")),
        ["before the softmax", "out of reach"],
    ),
]


@pytest.mark.parametrize("act, parts", ERRORS)
def test_errors(act, parts):
    with pytest.raises(ValueError) as caught:
        act()
    for part in parts:
        assert part in str(caught.value)
