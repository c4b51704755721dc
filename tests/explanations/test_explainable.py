"""`.explain()` of a mix-in and of a wrapper: explains, and leaves the model alone."""

import subprocess
import sys
import textwrap
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, SIZE, classifier, photos
from tf_superpixel_saliency.explanations.cache import ExplainerCache
from tf_superpixel_saliency.explanations.configuration import How, find_explainer

SQUARES = "SquareGrid:size=3"


@keras.saving.register_keras_serializable(package="tests")
class Net(tss.Explainable, keras.Model):
    """A subclassed model with the mix-in."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = classifier(activation=None)
        self.calls = 0

    def call(self, images, training=False):
        self.calls += 1
        return keras.ops.softmax(self.inner(images, training=training))


def mixed_in():
    return Net()


def wrapped():
    return tss.explainable(classifier())


MODELS = {"mix-in": mixed_in, "wrapper": wrapped}


@pytest.mark.cases(1)
@pytest.mark.parametrize("kind", MODELS)
def test_explains_as_the_explainer_does(kind):
    model = MODELS[kind]()
    explanation = model.explain(
        photos(), [1, 2, -1], superpixels=SQUARES, num_samples=3
    )
    inner = getattr(model, "model", model)
    explainer = tss.SmoothGrad(inner, tss.SquareGrid(size=3), num_samples=3)
    expected = explainer(photos(), targets=[1, 2, -1])
    assert set(explanation.keys()) == {"images", *expected}
    for key, value in expected.items():
        np.testing.assert_allclose(explanation[key], value, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("kind", MODELS)
def test_repeated_calls_are_traced_once_and_see_new_weights(kind):
    model = MODELS[kind]()
    own = getattr(model, "model", model)
    traces = []

    def score(outputs, targets):
        traces.append(outputs.shape)
        return tf.reduce_sum(outputs**2, axis=-1)

    told = {"method": "simple-gradient", "superpixels": SQUARES, "score": score}
    before = model.explain(photos(), **told)
    count = len(traces)
    model.explain(photos(2), targets=[1, 2], **told)
    model.explain(photos(), **{**told, "superpixels": tss.SquareGrid(size=3)})
    model.explain(photos(), **{**told, "method": tss.SimpleGradient})
    assert len(traces) == count > 0
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(photos(6), np.arange(6) % CLASSES, verbose=0)
    after = model.explain(photos(), **told)
    assert len(traces) == count
    assert np.abs(after.maps - before.maps).max() > 0
    fresh = tss.SimpleGradient(own, tss.SquareGrid(size=3), score=score)(photos())
    np.testing.assert_allclose(after.maps, fresh["maps"], rtol=1e-4, atol=1e-12)
    model.explain(photos(), **{**told, "superpixels": None})
    assert len(traces) > count


@pytest.mark.cases(1)
@pytest.mark.parametrize("kind", MODELS)
def test_the_model_is_trained_saved_and_counted_as_before(kind, tmp_path):
    """Beside a twin that never explained anything."""
    keras.utils.set_random_seed(3)
    model, twin = MODELS[kind](), MODELS[kind]()
    model(photos()), twin(photos())
    model.explain(photos(), superpixels=SQUARES, num_samples=2)
    for one in (model, twin):
        keras.utils.set_random_seed(4)
        one.compile("sgd", "sparse_categorical_crossentropy")
        one.fit(photos(6), np.arange(6) % CLASSES, verbose=0)
        one.explain(photos(1), superpixels=SQUARES, num_samples=2)
    for ours, theirs in zip(model.get_weights(), twin.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    assert len(model.weights) == len(twin.weights) == 6
    assert len(model.layers) == len(twin.layers)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(photos(), verbose=0), model(photos()))
    if kind == "mix-in":
        out = again.explain(photos(1), superpixels=SQUARES, num_samples=2)
        assert out.maps.shape == (1, *SIZE)
    model.export(str(tmp_path / "served"))
    loaded = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(loaded.serve(photos()), model(photos()), atol=1e-6)


def test_a_mix_in_over_a_functional_model():
    class Functional(tss.Explainable, keras.Model):
        pass

    image = keras.Input(SIZE)
    model = Functional(image, classifier()(image))
    out = model.explain(photos(), method="gradcam", layer=None)
    assert out.heatmaps.shape == (3, *SIZE[:2]) and len(model.layers) == 2


def test_functions_and_saved_models(tmp_path):
    inner = classifier()
    expected = tss.explainable(inner, "SimpleGradient", SQUARES).explain(photos())
    inner.export(str(tmp_path / "model"))
    for model in (
        lambda images: inner(images, training=False),
        tf.saved_model.load(str(tmp_path / "model")),
    ):
        out = tss.explainable(model, "SimpleGradient", SQUARES).explain(photos())
        np.testing.assert_allclose(out.maps, expected.maps, rtol=1e-4, atol=1e-9)


def test_the_wrappers_defaults_and_the_calls_own():
    model = tss.explainable(
        classifier(), "smooth_grad", SQUARES, num_samples=3, class_names=list("abcde")
    )
    assert model.explain(photos()).settings["num_samples"] == 3
    other = model.explain(photos(), num_samples=4)
    assert other.settings["num_samples"] == 4 and other.labels()[0] in "abcde"
    simple = model.explain(photos(), method="simplegradient")  # takes no num_samples
    assert simple.settings["method"] == "SimpleGradient"
    assert model.explain(photos(), class_names=lambda n: "one").labels()[0] == "one"
    assert "method='SmoothGrad'" in repr(model)


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "method, size, expected",
    [
        ("SimpleGradient", (12, 11, 3), "SLIC"),
        ("SimpleGradient", (64, 66, 3), "Quickshift"),
        ("GradCAM", (12, 11, 3), None),
        ("LIME", (12, 11, 3), "Quickshift"),
    ],
)
def test_the_default_super_pixels(method, size, expected):
    model = tss.explainable(classifier(size=size), method)
    settings = {"num_samples": 4} if method == "LIME" else {}
    out = model.explain(photos(1, size), **settings)
    found = out.settings["superpixels"]
    assert (found and found["class"]) == expected


@pytest.mark.thorough
def test_the_range_of_the_images_is_told_once():
    scaled = photos() / 127.5 - 1
    inner = keras.Sequential([keras.Input(SIZE), *classifier().layers[1:]])
    model = tss.explainable(inner, "SimpleGradient", value_range=(-1, 1))
    out = model.explain(scaled, superpixels="slic:n_segments=9")
    expected = tss.SLIC(n_segments=9)(photos())
    np.testing.assert_array_equal(out.segments, expected)
    assert out.value_range == (-1, 1)
    with pytest.raises(ValueError, match="value_range"):
        tss.explainable(inner, "SimpleGradient").explain(scaled)


def test_an_explainer_of_the_model_is_a_method():
    inner = classifier()
    explainer = tss.SimpleGradient(inner, tss.SquareGrid(size=4))
    model = tss.explainable(inner, superpixels=SQUARES)
    of_wrapper = tss.SimpleGradient(model, tss.SquareGrid(size=4))
    np.testing.assert_array_equal(
        tss.explainable(model, of_wrapper).explain(photos()).segments,
        explainer(photos())["segments"],
    )
    out = tss.explainable(inner, explainer).explain(photos())
    np.testing.assert_array_equal(out.segments, explainer(photos())["segments"])
    with pytest.raises(ValueError, match="has its settings already"):
        model.explain(photos(), method=explainer, num_samples=3)
    with pytest.raises(ValueError, match="another model"):
        tss.explainable(classifier(), explainer)


@pytest.mark.thorough
def test_another_method_is_of_the_same_model():
    """What is said of the model is kept; what is said of the method isn't."""
    inner = keras.Sequential([keras.Input(SIZE), *classifier().layers[1:]])
    told = {"preprocess": keras.layers.Rescaling(1 / 127.5, -1), "score": "logit"}
    model = tss.explainable(inner, "smoothgrad", SQUARES, num_samples=2, **told)
    expected = tss.SimpleGradient(inner, tss.SquareGrid(size=3), **told)(photos())
    usual = tss.SmoothGrad(inner, tss.SquareGrid(size=3), num_samples=2, **told)
    for one in (model, tss.explainable(inner, usual)):
        simple = one.explain(photos(), method="SimpleGradient")
        np.testing.assert_allclose(simple.maps, expected["maps"], rtol=1e-4, atol=1e-9)
        np.testing.assert_array_equal(simple.segments, expected["segments"])
        assert one.explain(photos(), method="smooth-grad").settings["num_samples"] == (
            2 if one is model else 50
        )


def test_own_groups():
    """They are named as such, and the range of the images isn't the default layer's."""
    labels = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[:2]) // 40
    inner = keras.Sequential([keras.layers.Rescaling(255.0), classifier()])
    model = tss.explainable(inner, "SimpleGradient")
    out = model.explain(photos() / 255, segments=labels)
    assert out.num_groups.tolist() == [4, 4, 4] and out.value_range == (0, 1)
    assert "over segments" in repr(out) and "SLIC" not in str(out.settings)
    told = model.explain({"images": photos() / 255, "segments": labels})
    np.testing.assert_array_equal(told.maps, out.maps)
    lime = model.explain(photos(1) / 255, method="LIME", num_samples=4, segments=labels)
    assert "by LIME over segments" in repr(lime)


@pytest.mark.thorough
def test_own_super_pixels_of_a_method_in_another_range():
    """As those of the same images in 0…255."""
    size = (40, 30, 3)
    plain = classifier(size=size)
    scaled = keras.Sequential([keras.layers.Rescaling(255.0), plain])
    images = photos(1, size)
    expected = tss.explainable(plain, "XRAI", num_steps=2).explain(images)
    model = tss.explainable(scaled, "XRAI", num_steps=2, value_range=(0, 1))
    out = model.explain(images / 255)
    assert out.num_groups[0] > 1
    np.testing.assert_array_equal(out.segments, expected.segments)
    np.testing.assert_allclose(out.heatmaps, expected.heatmaps, rtol=1e-3, atol=1e-6)


def test_own_super_pixels_of_lime_in_another_range():
    model = classifier()
    how = How("lime", "default", (0, 1), {})
    lime = find_explainer(ExplainerCache(), model, how, side=12, segments=False)
    usual, found = tss.LIME(model).superpixels.get_config(), lime.superpixels
    expected = {**usual, "name": found.name, "value_range": (0.0, 1.0)}
    assert found.get_config() == expected


@pytest.mark.thorough
def test_several_super_pixels_for_xrai():
    inner = classifier()
    layers = [tss.SquareGrid(size=3), tss.SquareGrid(size=6)]
    expected = tss.XRAI(inner, layers, num_steps=2)(photos())
    model = tss.explainable(inner, "xrai", layers, num_steps=2)
    by_name = [SQUARES, "SquareGrid:size=6"]
    for out in (model.explain(photos()), model.explain(photos(), superpixels=by_name)):
        np.testing.assert_array_equal(out.segments, expected["segments"])
    with pytest.raises(TypeError, match="superpixels must be a name"):
        model.explain(photos(), method="SimpleGradient", superpixels=by_name)


@pytest.mark.thorough
def test_few_explainers_are_kept():
    model = tss.explainable(classifier(), "SimpleGradient")
    for size in range(2, 12):
        model.explain(photos(1), superpixels=f"SquareGrid:size={size}")
    assert len(vars(model)["_explainers_by_settings"]) == 8


def test_threads_share_one_trace():
    traces = []

    def score(outputs, targets):
        traces.append(1)
        return outputs[:, 0]

    model = tss.explainable(classifier(), "SimpleGradient", SQUARES, score=score)
    found = [None] * 6

    def work(number):
        found[number] = model.explain(photos()).maps

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for maps in found:
        np.testing.assert_array_equal(maps, found[0])
    alone = []

    def once(outputs, targets):
        alone.append(1)
        return outputs[:, 0]

    tss.explainable(classifier(), "SimpleGradient", SQUARES, score=once).explain(
        photos()
    )
    assert len(traces) == len(alone)


def test_further_inputs_and_dictionaries():
    image, scale = keras.Input(SIZE, name="photo"), keras.Input((1,), name="scale")
    model = tss.explainable(
        keras.Model(
            [image, scale], keras.layers.Softmax()(classifier()(image) * scale)
        ),
        "SimpleGradient",
        SQUARES,
    )
    given = {"scale": np.float32([[1.0], [5.0], [0.1]])}
    one = model.explain(photos(), inputs=given, batch_size=2)
    other = model.explain({"images": photos(), "inputs": given})
    np.testing.assert_allclose(one.maps, other.maps, rtol=1e-5, atol=1e-12)
    assert one.images.shape == (3, *SIZE)


@pytest.mark.parametrize(
    "told, error, message",
    [
        ({"method": "smothgrad"}, ValueError, "Did you mean 'SmoothGrad'"),
        ({"method": "Explainer"}, ValueError, "No method is called"),
        ({"method": 3}, TypeError, "method must be a name"),
        ({"superpixels": "quickshit"}, ValueError, "Did you mean 'Quickshift'"),
        ({"superpixels": "slic:n_segment=5"}, ValueError, "Did you mean 'n_segments'"),
        ({"superpixels": np.zeros(SIZE[:2])}, TypeError, "segments=labels"),
        ({"method": "LIME", "superpixels": None}, ValueError, "explains super-pixels"),
        ({"num_sample": 3}, TypeError, "Did you mean 'num_samples'"),
    ],
)
def test_bad_settings_are_refused_at_once(told, error, message):
    with pytest.raises(error, match=message):
        tss.explainable(classifier(), **told)
    with pytest.raises(error, match=message):
        tss.explainable(classifier()).explain(photos(), **told)


@pytest.mark.parametrize(
    "told, error, message",
    [
        ({"images": photos()[0]}, ValueError, "images must be a batch"),
        ({"images": photos()[:0]}, ValueError, "at least one image"),
        ({"images": [photos()[0], photos()[1, :5]]}, TypeError, "several sizes"),
        ({"images": None}, TypeError, "images must be one array"),
        ({"images": (photos(), [0, 1, 2])}, ValueError, "pairs"),
        ({"images": photos(3, (9, 9, 3))}, ValueError, "the model's input shape"),
        ({"images": photos() / 0}, ValueError, "must be finite"),
        ({"targets": [0, 1, 99]}, ValueError, "targets"),
        # Of which each batch of two would fit.
        ({"segments": np.zeros((4, *SIZE[:2]), int)}, ValueError, "segments must have"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": 1.5}, ValueError, "batch_size must be an integer"),
        ({"value_range": (5, 5)}, ValueError, "two finite numbers"),
        ({"class_names": "cat"}, TypeError, "class_names must be a list"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bad_images(told, error, message):
    model = tss.explainable(classifier(), "SimpleGradient", SQUARES)
    with pytest.raises(error, match=message):
        model.explain(**{"images": photos(2), "batch_size": 2, **told})


def test_a_dataset_is_referred_to_an_explainer():
    dataset = tf.data.Dataset.from_tensor_slices(photos()).batch(2)
    with pytest.raises(TypeError, match="explain_batches"):
        tss.explainable(classifier()).explain(dataset)
    with pytest.raises(TypeError, match="explain_batches"):
        tss.explainable(classifier()).explain(one for one in photos())


def test_no_models():
    for model in ("model.keras", 3, None):
        with pytest.raises(TypeError, match="model must be"):
            tss.explainable(model)


@pytest.mark.thorough
def test_the_function_and_its_module_have_their_own_names():
    code = """
        import inspect
        import pkgutil
        import tf_superpixel_saliency as tss
        from tf_superpixel_saliency import explanations
        for module in pkgutil.iter_modules(explanations.__path__):
            __import__(f"{explanations.__name__}.{module.name}")
            assert inspect.ismodule(getattr(explanations, module.name)), module.name
        assert callable(tss.explainable) and tss.explainable.__name__ == "explainable"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
