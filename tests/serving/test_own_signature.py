"""`serving_default` stays what `model.export` or the SavedModel had."""

import contextlib
import io

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, photos
from tests.serving.models import named_classifier, simple
from tests.serving.server import Server
from tf_superpixel_saliency.explainers import saved_model, signatures
from tf_superpixel_saliency.ops.compilation import portable_graph


def heads(picture, age):
    x = keras.layers.GlobalAveragePooling2D()(picture) / 255
    x = keras.layers.Concatenate()([x, age])
    return keras.layers.Dense(4, activation="softmax")(x)


def functional():
    return named_classifier()


def inputs_in_a_list():
    given = [keras.Input(SIZE, name="picture"), keras.Input((2,), name="age")]
    return keras.Model(given, heads(*given))


def inputs_and_outputs_in_dictionaries():
    given = {
        "picture": keras.Input(SIZE, name="picture"),
        "age": keras.Input((2,), name="age", dtype="float64"),
    }
    out = heads(given["picture"], keras.ops.cast(given["age"], "float32"))
    return keras.Model(given, {"classes": out, "twice": out * 2})


def several_outputs():
    given = keras.Input(SIZE, name="picture")
    out = heads(given, given[:, 0, 0, :2])
    return keras.Model(given, [out, out * 2])


def sequential():
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input(SIZE, name="picture"), *layers])


def subclassed():
    class Wrapped(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = named_classifier()

        def call(self, images, training=False):
            return self.inner(images, training=training)

    model = Wrapped()
    model(photos(1))
    return model


MODELS = [
    functional,
    inputs_in_a_list,
    inputs_and_outputs_in_dictionaries,
    several_outputs,
    sequential,
    subclassed,
]


def description(folder):
    """The interface of `serving_default`, and the server that has it."""
    server = Server(folder)
    signature = server.signatures["serving_default"]
    sides = [
        {
            key: (info.dtype, [size.size for size in info.tensor_shape.dim])
            for key, info in side.items()
        }
        for side in (signature.inputs, signature.outputs)
    ]
    return sides, server


def write_own(model, folder):
    with portable_graph(), saved_model.whole_folder(folder) as partial:
        own = signatures.own(model, SIZE)
        saved_model.write([own], partial, saved_model.lookup_tables(model))


@pytest.mark.cases(2)
@pytest.mark.parametrize("build", MODELS)
def test_it_is_that_of_the_models_own_export(build, tmp_path):
    model = build()
    with contextlib.redirect_stdout(io.StringIO()):
        model.export(tmp_path / "keras")
    write_own(model, tmp_path / "ours")
    write_own(tf.saved_model.load(str(tmp_path / "keras")), tmp_path / "again")
    wanted, keras_server = description(tmp_path / "keras")
    rng = np.random.default_rng(0)
    inputs = {
        name: rng.uniform(0, 255, (2, *shape[1:])) for name, (_, shape) in
        wanted[0].items()
    }  # fmt: skip
    expected = keras_server.predict("serving_default", inputs)
    for name in ("ours", "again"):
        found, server = description(tmp_path / name)
        assert found == wanted
        out = server.predict("serving_default", inputs)
        for key in expected:
            np.testing.assert_array_equal(out[key], expected[key])


def test_a_tf_keras_model(tmp_path):
    tf_keras = pytest.importorskip("tf_keras")
    given = tf_keras.Input(SIZE, name="picture")
    x = tf_keras.layers.GlobalAveragePooling2D()(given / 255.0)
    model = tf_keras.Model(given, tf_keras.layers.Dense(3, activation="softmax")(x))
    server = Server(tss.export(simple(model), tmp_path, image_bytes=False, warm_up=()))
    out = server.predict("serving_default", {"picture": photos(2)})
    np.testing.assert_allclose(out["output_0"], model(photos(2)), rtol=1e-5)


@pytest.mark.thorough
def test_a_model_with_a_table_and_the_same_loaded(tmp_path):
    picture = keras.Input(SIZE, name="picture")
    word = keras.Input((), dtype="string", name="word")
    index = keras.layers.StringLookup(vocabulary=["left", "right"])(word)
    maps = keras.layers.Conv2D(3, 3, activation="relu")(picture / 255)
    x = keras.layers.GlobalAveragePooling2D()(maps)
    x = x + keras.layers.Embedding(3, 3)(index)
    model = keras.Model([picture, word], keras.layers.Dense(4, "softmax")(x))
    settings = {"image_bytes": False, "warm_up": (1,)}
    first = tss.export(simple(model), tmp_path, **settings)
    # The file, loaded, is a model to explain in its turn.
    loaded = tf.saved_model.load(str(first))
    explainer = tss.SimpleGradient(
        loaded, tss.SquareGrid(size=3), model_output="probability"
    )
    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 6):
        pytest.skip("this Keras exports the tables of its own layers alone")
    server = Server(tss.export(explainer, tmp_path, **settings))
    words = np.array([b"right", b"elsewhere"])
    own = server.predict("serving_default", {"picture": photos(2), "word": words})
    expected = model([tf.constant(photos(2)), tf.constant(words)])
    np.testing.assert_allclose(own["output_0"], expected, rtol=1e-5)
    targets = np.int32([1, -1])
    out = server.predict(
        "explain_maps", {"images": photos(2), "targets": targets, "word": words}
    )
    wanted = simple(model)(photos(2), targets, inputs={"word": words})
    # Without the softmax in reach, p(1 − p) is rounded once more.
    np.testing.assert_allclose(out["maps"], wanted["maps"], rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(out["scores"], wanted["scores"], rtol=1e-5)
