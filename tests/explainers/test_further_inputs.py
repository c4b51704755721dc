"""Models of several inputs, one of them the image: the others ride along."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, SIZE, as_arrays, photos

SQUARES = tss.SquareGrid(size=3)
AGE = np.float32([[0.2], [1.5], [-0.7]])
SITE = np.int32([2, 0, 1])


def two_inputs(order=("photo", "age", "site"), as_dictionary=False):
    """The image's features are turned by a number and by an index."""
    rng = np.random.default_rng(3)
    inputs = {
        "photo": keras.Input(SIZE, name="photo"),
        "age": keras.Input((1,), name="age"),
        "site": keras.Input((), dtype="int32", name="site"),
    }
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(
        inputs["photo"] / 127.5
    )
    features = keras.layers.GlobalAveragePooling2D()(maps)
    turned = keras.layers.Dense(4, name="turn")(inputs["age"])
    place = keras.layers.Embedding(3, 4, name="place")(inputs["site"])
    features = features * (1.0 + turned) + features * place
    outputs = keras.layers.Dense(CLASSES, activation="softmax", name="head")(features)
    given = inputs if as_dictionary else [inputs[name] for name in order]
    model = keras.Model(given, outputs)
    for layer in model.layers:
        layer.set_weights(
            [rng.normal(0, 0.5, w.shape).astype("float32") for w in layer.get_weights()]
        )
    return model


MODEL = two_inputs()
GIVEN = {"age": AGE, "site": SITE}
METHODS = {
    "SimpleGradient": lambda m: tss.SimpleGradient(m, SQUARES),
    "SmoothGrad": lambda m: tss.SmoothGrad(m, SQUARES, num_samples=5, chunk_size=6),
    "SparsifiedSmoothGrad": lambda m: tss.SparsifiedSmoothGrad(
        m, SQUARES, num_samples=2
    ),
    "IntegratedGradients": lambda m: tss.IntegratedGradients(
        m, SQUARES, num_steps=4, quadrature="adaptive"
    ),
    "GradCAM": lambda m: tss.GradCAM(m, SQUARES),
    "ScoreCAM": lambda m: tss.ScoreCAM(m, SQUARES, chunk_size=3),
    "RISE": lambda m: tss.RISE(m, SQUARES, num_masks=6),
    "LIME": lambda m: tss.LIME(m, SQUARES, num_samples=9),
    "XRAI": lambda m: tss.XRAI(m, SQUARES, num_steps=2),
}


def with_constants(row):
    """The same network with one image's further inputs built in."""
    photo = keras.Input(SIZE)
    age = keras.ops.zeros_like(photo[:, 0, 0, :1]) + AGE[row]
    site = keras.ops.cast(keras.ops.zeros_like(photo[:, 0, 0, 0]), "int32") + SITE[row]
    return keras.Model(photo, MODEL([photo, age, site]))


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", METHODS)
def test_each_image_has_its_own(name):
    """A batch gives what each image gives with its further inputs built in."""
    out = as_arrays(METHODS[name](MODEL)(photos(), inputs=GIVEN))
    assert len(set(np.round(out["scores"], 4))) == 3
    row = 2
    model = with_constants(row)
    explainer = METHODS[name](model)
    if name in ("GradCAM", "ScoreCAM"):
        explainer = type(explainer)(model, SQUARES, layer="conv")
    one = as_arrays(explainer(photos()[row : row + 1], targets=out["targets"][row]))
    scale = np.abs(one["maps"]).max()
    assert scale > 0
    np.testing.assert_allclose(out["maps"][row], one["maps"][0], atol=1e-5 * scale)
    np.testing.assert_allclose(out["scores"][row], one["scores"][0], rtol=1e-5)


@pytest.fixture(scope="module")
def expected():
    explainer = METHODS["SmoothGrad"](MODEL)
    return explainer, as_arrays(explainer(photos(), inputs=GIVEN))


def same_maps(out, expected):
    scale = np.abs(expected["maps"]).max()
    np.testing.assert_allclose(out["maps"], expected["maps"], atol=1e-5 * scale)
    np.testing.assert_allclose(out["scores"], expected["scores"], rtol=1e-5)


@pytest.mark.thorough
def test_dictionaries_datasets_and_batches(expected):
    explainer, expected = expected
    whole = {"images": photos(), "inputs": GIVEN}
    same_maps(explainer(whole), expected)
    same_maps(explainer.predict(whole, verbose=0), expected)
    same_maps(
        explainer.predict(photos(), inputs=GIVEN, batch_size=2, verbose=0), expected
    )
    dataset = tf.data.Dataset.from_tensor_slices(whole).batch(2)
    same_maps(explainer.predict(dataset, verbose=0), expected)
    for source in (dataset, whole):
        parts = list(explainer.explain_batches(source, batch_size=2))
        assert [len(part["maps"]) for part in parts] == [2, 1]
        joined = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
        same_maps(joined, expected)


@pytest.mark.parametrize("order", [("age", "photo", "site"), None], ids=str)
def test_in_any_order_and_as_a_dictionary(expected, order):
    model = two_inputs(order, as_dictionary=order is None)
    for layer in model.layers:  # whose order is that of the inputs
        if layer.get_weights():
            layer.set_weights(MODEL.get_layer(layer.name).get_weights())
    out = METHODS["SmoothGrad"](model)(photos(), inputs=dict(reversed(GIVEN.items())))
    same_maps(as_arrays(out), expected[1])


def test_functions_and_subclassed_models_get_keywords(expected):
    def function(images, site, age):
        return MODEL([images, age, site], training=False)

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = MODEL

        def call(self, images, age, site, training=False):
            return self.inner([images, age, site], training=training)

    for model in (function, Subclassed()):
        out = METHODS["SmoothGrad"](model)(photos(), inputs=GIVEN)
        same_maps(as_arrays(out), expected[1])


@pytest.mark.thorough
def test_a_saved_model_has_names(expected, tmp_path):
    MODEL.export(str(tmp_path / "model"))
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    for model in (loaded, loaded.signatures["serving_default"]):
        out = METHODS["SmoothGrad"](model)(photos(), inputs=GIVEN)
        same_maps(as_arrays(out), expected[1])


def test_saved_and_loaded(expected, tmp_path):
    explainer, expected = expected
    explainer.save(tmp_path / "explainer.keras")
    again = keras.models.load_model(tmp_path / "explainer.keras")
    same_maps(as_arrays(again(photos(), inputs=GIVEN)), expected)


@pytest.mark.thorough
def test_xla(expected):
    explainer = METHODS["SmoothGrad"](MODEL)
    explainer.compile(jit_compile=True)
    same_maps(as_arrays(explainer(photos(), inputs=GIVEN)), expected[1])


@pytest.mark.thorough
def test_inside_another_model(expected):
    explainer, expected = expected
    photo, age = keras.Input(SIZE), keras.Input((1,))
    site = keras.Input((), dtype="int32")
    out = explainer(photo, inputs={"age": age, "site": site})
    outer = keras.Model([photo, age, site], out["heatmaps"])
    heatmaps = outer.predict([photos(), AGE, SITE], verbose=0)
    np.testing.assert_allclose(
        heatmaps, expected["heatmaps"], atol=1e-5 * expected["heatmaps"].max()
    )


@pytest.mark.parametrize(
    "inputs, error, message",
    [
        (None, ValueError, r"inputs \['photo', 'age', 'site'\], and all but"),
        ({"age": AGE}, ValueError, r"but got \['age'\]"),
        ({**GIVEN, "height": AGE}, ValueError, "but got .*'height'"),
        ({**GIVEN, "age": AGE[:2]}, ValueError, "'age' must have one row for each"),
        ({**GIVEN, "age": AGE * np.nan}, ValueError, "'age' holds NaN"),
        ([AGE, SITE], TypeError, "must be a dictionary of the model's further"),
    ],
)
def test_bad_inputs(inputs, error, message):
    with pytest.raises(error, match=message):
        tss.SimpleGradient(MODEL)(photos(), inputs=inputs)


def test_a_model_of_one_input_takes_no_others():
    model = keras.Sequential([keras.Input(SIZE), keras.layers.Flatten()])
    with pytest.raises(ValueError, match="The model has the inputs"):
        tss.SimpleGradient(model, model_output="logit")(photos(), inputs={"age": AGE})


def test_images_of_the_wrong_size_are_seen():
    with pytest.raises(ValueError, match=r"input shape \(N, 12, 11, 3\)"):
        tss.SimpleGradient(MODEL)(photos(size=(12, 12, 3)), inputs=GIVEN)
