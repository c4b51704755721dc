"""Models of every kind give the outputs of their inference mode, or a clear error."""

import gc
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.explainers import classifier, model_inputs

L = keras.layers
SIZE = (4, 5, 3)
IMAGES = np.random.default_rng(0).normal(2, 1, (3, *SIZE)).astype("float32")
WEIGHTS = np.random.default_rng(1).normal(size=(60, 4)).astype("float32")


def expected():
    """What all the models below return in inference mode."""
    logits = IMAGES.reshape(3, -1).astype(np.float64) @ WEIGHTS
    terms = np.exp(logits - logits.max(axis=1, keepdims=True))
    return terms / terms.sum(axis=1, keepdims=True)


def layers():
    """Dropout and a batch norm which are the identity in inference mode alone."""
    dense = L.Dense(4, activation="softmax", use_bias=False)
    dense.build((None, 60))
    dense.set_weights([WEIGHTS])
    return [L.BatchNormalization(epsilon=0), L.Flatten(), L.Dropout(0.5), dense]


def sequential(*first):
    return keras.Sequential([*first, *layers()])


def functional():
    images = keras.Input(SIZE)
    outputs = images
    for layer in layers():
        outputs = layer(outputs)
    return keras.Model(images, outputs)


class TrainingByDefault(keras.Model):
    def __init__(self):
        super().__init__()
        self.steps = layers()

    def call(self, images, training=True):
        for step in self.steps:
            takes = isinstance(step, (L.Dropout, L.BatchNormalization))
            images = step(images, training=training) if takes else step(images)
        return images


class NoTraining(keras.Model):
    def __init__(self):
        super().__init__()
        self.steps = layers()

    def call(self, images):
        for step in self.steps:
            images = step(images)
        return images


class Keywords(NoTraining):
    def call(self, images, **kwargs):
        assert not kwargs.get("training")
        return super().call(images)


class AsLayer(L.Layer):
    def __init__(self):
        super().__init__()
        self.steps = layers()

    def call(self, images, training=None):
        for step in self.steps:
            images = step(images)
        return images


class Module(tf.Module):
    """No Keras: noise where `training` is on, which is its default."""

    def __init__(self):
        self.weights = tf.Variable(WEIGHTS)

    @tf.function(input_signature=[tf.TensorSpec([None, *SIZE], tf.float32)])
    def __call__(self, images):
        return tf.nn.softmax(tf.reshape(images, [-1, 60]) @ self.weights)


MODULE = Module()


class TrainingModule(Module):
    @tf.function
    def __call__(self, images, training=True):
        logits = tf.reshape(images, [-1, 60]) @ self.weights
        return tf.nn.softmax(logits * (0.0 if training else 1.0))


def softmax(images):
    return tf.nn.softmax(tf.reshape(images, [-1, 60]) @ WEIGHTS)


def function_in_training(images, training=True):
    return softmax(images) * (0.0 if training else 1.0)


def function_with_keywords(images, **kwargs):
    assert not kwargs
    return softmax(images)


MODELS = {
    "functional": functional,
    "sequential": lambda: sequential(keras.Input(SIZE)),
    "sequential never called": sequential,
    "subclassed, training by default": TrainingByDefault,
    "subclassed without training": NoTraining,
    "subclassed with keywords": Keywords,
    "layer": AsLayer,
    "call of a model": lambda: functional().call,
    "function": lambda: softmax,
    "function in training": lambda: function_in_training,
    "function with keywords": lambda: function_with_keywords,
    "tf.function": lambda: tf.function(softmax),
    "tf.function in training": lambda: tf.function(function_in_training),
    "module": Module,
    "module in training": TrainingModule,
    "concrete function": lambda: MODULE.__call__.get_concrete_function(),
    "one in a list": lambda: lambda images: [softmax(images)],
    "one in a dictionary": lambda: lambda images: {"classes": softmax(images)},
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """SavedModels by kind: where each lies."""
    root = tmp_path_factory.mktemp("saved")
    functional().export(str(root / "keras"))
    tf.saved_model.save(Module(), str(root / "module"))
    module = TrainingModule()
    for training in (True, False):
        spec = tf.TensorSpec([None, *SIZE], tf.float32)
        module.__call__.get_concrete_function(spec, training=training)
    tf.saved_model.save(module, str(root / "training module"))
    module = tf.Module()
    module.inner = Module()
    signatures = {"serving_default": module.inner.__call__.get_concrete_function()}
    tf.saved_model.save(module, str(root / "signature"), signatures=signatures)
    return lambda name: tf.saved_model.load(str(root / name))


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("name", MODELS)
def test_inference_mode(name, mode):
    function = classifier.as_function(MODELS[name]())
    if mode == "graph":
        function = tf.function(function)
    for _ in range(2):
        found = function(tf.constant(IMAGES))
        np.testing.assert_allclose(found, expected(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["keras", "module", "training module", "signature"])
def test_loaded_saved_models(saved, name):
    function = tf.function(classifier.as_function(saved(name)))
    gc.collect()  # the function alone keeps the model's variables
    found = function(tf.constant(IMAGES))
    np.testing.assert_allclose(found, expected(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["keras", "signature"])
def test_bare_signatures(saved, name):
    model = saved(name)
    function = classifier.as_function(model.signatures["serving_default"])
    found = function(tf.constant(IMAGES))
    np.testing.assert_allclose(found, expected(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [TrainingByDefault, NoTraining, functional])
def test_inference_mode_within_a_model_that_is_training(make):
    function = classifier.as_function(make())

    class Outer(L.Layer):
        def call(self, images, training=None):
            return function(images)

    found = Outer()(tf.constant(IMAGES), training=True)
    np.testing.assert_allclose(found, expected(), rtol=1e-5, atol=1e-6)


def test_batch_norm_keeps_its_statistics():
    model = functional()
    before = model.get_weights()
    classifier.as_function(model)(tf.constant(IMAGES))
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_weights_are_read_anew():
    model = functional()
    function = tf.function(classifier.as_function(model))
    function(tf.constant(IMAGES))
    model.layers[-1].set_weights([np.zeros_like(WEIGHTS)])
    np.testing.assert_allclose(function(tf.constant(IMAGES)), 0.25)


def test_tf_keras():
    tf_keras = pytest.importorskip("tf_keras")
    model = tf_keras.Sequential(
        [
            tf_keras.layers.Input(SIZE),
            tf_keras.layers.Flatten(),
            tf_keras.layers.Dropout(0.5),
            tf_keras.layers.Dense(4, activation="softmax", use_bias=False),
        ]
    )
    model.layers[-1].set_weights([WEIGHTS])
    found = tf.function(classifier.as_function(model))(tf.constant(IMAGES))
    np.testing.assert_allclose(found, expected(), rtol=1e-5, atol=1e-6)
    assert classifier.input_shape(model) == SIZE
    model_inputs.check_image_dtype(model)
    assert not classifier.uses_float16(model)


# -- errors --------------------------------------------------------------------------


def raises(error, function, *parts):
    with pytest.raises(error) as caught:
        function()
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("path", ["model.keras", pathlib.Path("saved")])
def test_a_path_is_no_model(path):
    raises(
        TypeError,
        lambda: classifier.as_function(path),
        "Keras model",
        "tf.saved_model.load",
        repr(path),
        "Load it first",
    )


@pytest.mark.parametrize("model", [None, 3, IMAGES])
def test_other_things_are_no_models(model):
    raises(TypeError, lambda: classifier.as_function(model), "Keras model", "but got")


@pytest.mark.parametrize(
    "outputs, parts",
    [
        ({"a": 1.0, "b": 2.0}, ["['a', 'b']", "(N, classes)", "lambda images"]),
        ([1.0, 2.0], ["several: 2", "lambda images"]),
        ((1.0, 2.0, 3.0), ["several: 3"]),
        ({}, ["several: []"]),
    ],
)
def test_several_outputs(outputs, parts):
    function = classifier.as_function(lambda images: outputs)
    raises(ValueError, lambda: function(tf.constant(IMAGES)), *parts)


def test_a_functional_of_several_outputs():
    images = keras.Input(SIZE)
    flat = L.Flatten()(images)
    model = keras.Model(images, {"kind": L.Dense(2)(flat), "size": L.Dense(1)(flat)})
    function = classifier.as_function(model)
    raises(ValueError, lambda: function(tf.constant(IMAGES)), "['kind', 'size']")


def test_integer_inputs():
    images = keras.Input(SIZE, dtype="uint8", name="photo")
    model = keras.Model(images, L.Dense(2)(L.Flatten()(L.Rescaling(1 / 255)(images))))
    raises(
        ValueError,
        lambda: model_inputs.check_image_dtype(model),
        "photo",
        "uint8",
        "no gradient",
        "float32 Input",
    )
    for good in (functional(), sequential(), NoTraining(), AsLayer(), softmax):
        model_inputs.check_image_dtype(good)


def test_a_signature_of_several_inputs():
    @tf.function(
        input_signature=[tf.TensorSpec([None, *SIZE]), tf.TensorSpec([], name="scale")]
    )
    def scaled(images, scale):
        return softmax(images) * scale

    raises(
        TypeError,
        lambda: classifier.as_function(scaled.get_concrete_function()),
        "name its inputs",
        "they are",
        "Wrap it",
    )


def test_a_saved_model_without_an_entry(tmp_path):
    module = tf.Module()
    module.inner = Module()
    signatures = {"embed": module.inner.__call__.get_concrete_function()}
    tf.saved_model.save(module, str(tmp_path), signatures=signatures)
    loaded = tf.saved_model.load(str(tmp_path))
    raises(
        TypeError,
        lambda: classifier.as_function(loaded),
        "serving_default",
        "['embed']",
        "model.signatures['name']",
    )
    found = classifier.as_function(loaded.signatures["embed"])(tf.constant(IMAGES))
    np.testing.assert_allclose(found, expected(), rtol=1e-5, atol=1e-6)


# -- input_shape, uses_float16 -------------------------------------------------------

FREE = (None, None, None)


@pytest.mark.parametrize(
    "name, shape",
    [
        ("functional", SIZE),
        ("sequential", SIZE),
        ("sequential never called", FREE),
        ("subclassed without training", FREE),
        ("layer", FREE),
        ("function", FREE),
        ("tf.function", FREE),
        ("module", FREE),
        ("concrete function", SIZE),
    ],
)
def test_input_shape(name, shape):
    assert classifier.input_shape(MODELS[name]()) == shape


def test_input_shape_of_other_models(saved):
    for name in ("keras", "module", "signature"):
        model = saved(name)
        assert classifier.input_shape(model) == SIZE
        signature = model.signatures["serving_default"]
        assert classifier.input_shape(signature) == SIZE
    images = keras.Input((None, None, 3))
    pooled = L.GlobalAveragePooling2D()(images)
    model = keras.Model(images, pooled)
    assert classifier.input_shape(model) == (None, None, 3)
    several = keras.Model([images, keras.Input((2,))], pooled)
    assert classifier.input_shape(several) == FREE
    four = keras.Model([images] + [keras.Input((2,)) for _ in range(3)], pooled)
    assert classifier.input_shape(four) == FREE


def test_uses_float16():
    assert not classifier.uses_float16(functional())
    assert not classifier.uses_float16(softmax)
    images = keras.Input(SIZE)
    outputs = L.Dense(4, dtype="mixed_float16")(L.Flatten()(images))
    inner = keras.Model(images, outputs)
    assert classifier.uses_float16(inner)
    assert classifier.uses_float16(keras.Sequential([inner, L.Softmax()]))
    assert not classifier.uses_float16(L.Dense(4, dtype="mixed_bfloat16"))
