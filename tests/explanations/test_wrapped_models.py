"""What `tss.explainable` returns is, to Keras, the model inside of it."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, classifier, photos

SQUARES = "SquareGrid:size=3"


@keras.saving.register_keras_serializable(package="tests")
class Named(keras.Model):
    """Its layer's name comes after `model`, in the order that Keras saves in."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.zeta = classifier(activation=None)

    def call(self, images, training=False):
        return keras.ops.softmax(self.zeta(images, training=training))


@keras.saving.register_keras_serializable(package="tests")
class Outer(keras.Model):
    def __init__(self, backbone=None, **kwargs):
        super().__init__(**kwargs)
        self.backbone = Named() if backbone is None else backbone
        self.head = keras.layers.Dense(2, activation="softmax")

    def call(self, images):
        return self.head(self.backbone(images))


def test_a_wrapper_is_its_model_in_all_else():
    inner = classifier()
    model = tss.explainable(inner, num_samples=2)
    np.testing.assert_array_equal(model(photos()), inner(photos()))
    model.trainable = False
    assert inner.trainable is False and "explain" in dir(model)
    assert model.count_params() == inner.count_params()
    assert {"fit", "explain"} <= set(dir(model))
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = model.no_such_thing
    model.note = "mine"
    assert inner.note == "mine"
    del model.note
    assert not hasattr(inner, "note")


def test_it_is_the_model_to_keras(tmp_path):
    inner = Named()
    model = tss.explainable(inner, tss.SimpleGradient(inner, tss.SquareGrid(size=3)))
    expected = model(photos())
    assert isinstance(model, keras.Model) and isinstance(model, Named)
    assert not isinstance(tss.explainable(lambda images: images), keras.Model)
    keras.saving.save_model(model, tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert type(again) is Named
    np.testing.assert_array_equal(again(photos()), expected)
    model.save_weights(tmp_path / "a.weights.h5")
    again = Named()
    again(photos())
    again.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(again(photos()), expected)


def test_it_is_trained_and_saved_as_a_part_of_another_model(tmp_path):
    """A layer that Keras took for a plain attribute would silently be neither."""
    model = tss.explainable(Named(), "SimpleGradient", SQUARES)
    outer, plain = Outer(model), Outer()
    outer(photos()), plain(photos())
    assert len(outer.weights) == len(plain.weights)
    assert len(outer.trainable_variables) == len(plain.trainable_variables) == 8
    before = model.explain(photos()).maps
    outer.compile("sgd", "sparse_categorical_crossentropy")
    outer.fit(photos(), np.arange(3) % 2, verbose=0)
    assert np.abs(model.explain(photos()).maps - before).max() > 0
    outer.save(tmp_path / "outer.keras")
    again = keras.saving.load_model(tmp_path / "outer.keras")
    np.testing.assert_array_equal(again(photos()), outer(photos()))
    image = keras.Input(SIZE)
    functional = keras.Model(image, keras.layers.Dense(2)(model(image)))
    sequential = keras.Sequential([image, model, functional.layers[-1]])
    np.testing.assert_allclose(functional(photos()), sequential(photos()), rtol=1e-6)


def test_an_explainer_of_it_is_one_of_the_model(tmp_path):
    inner = classifier()
    # As it is: the wrapper does not show its layers, and the same bits are wanted.
    told = {"superpixels": tss.SquareGrid(size=3), "fold_batch_norms": False}
    explainer = tss.SimpleGradient(tss.explainable(inner), **told)
    expected = tss.SimpleGradient(inner, **told)(photos())
    np.testing.assert_array_equal(explainer(photos())["maps"], expected["maps"])
    explainer.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(again(photos())["maps"], expected["maps"])
    tss.export(explainer, tmp_path / "served")
    loaded = tf.saved_model.load(str(tmp_path / "served" / "1"))
    np.testing.assert_allclose(loaded.serve(photos()), inner(photos()), atol=1e-6)


def test_copies_of_a_wrapper():
    model = tss.explainable(classifier(), "SimpleGradient", SQUARES)
    expected = model.explain(photos()).maps
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.model is not model.model
        np.testing.assert_array_equal(other.explain(photos()).maps, expected)
    clone = keras.models.clone_model(model.model)
    clone.set_weights(model.get_weights())
    clone = tss.explainable(clone, "SimpleGradient", SQUARES)
    np.testing.assert_allclose(clone.explain(photos()).maps, expected, rtol=1e-5)
    again = tss.explainable(model)
    assert again.model is model.model


@pytest.mark.thorough
def test_copies_keep_what_was_told():
    inner = classifier()
    explainer = tss.SimpleGradient(inner, tss.SquareGrid(size=4))
    told = {"class_names": list("abcde"), "batch_size": 2, "value_range": (0, 255)}
    for model in (
        tss.explainable(inner, "smoothgrad", SQUARES, num_samples=3, **told),
        tss.explainable(inner, explainer, **told),
    ):
        expected = model.explain(photos())
        again = copy.deepcopy(model).explain(photos())
        np.testing.assert_array_equal(again.maps, expected.maps)
        assert again.settings == expected.settings
        assert again.labels() == expected.labels()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy])
def test_a_wrapped_function_is_copied(duplicate):
    model = tss.explainable(tf.identity, "SimpleGradient", None, score=tf.gather)
    again = duplicate(model)
    assert again.model is tf.identity and repr(again) == repr(model)
