"""What explainers refuse, and with which words."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, SIZE, classifier, photos


@pytest.fixture(scope="module")
def explainer():
    return tss.SmoothGrad(classifier(), tss.SquareGrid(size=4), num_samples=2)


def called(explainer, **kwargs):
    return explainer(**kwargs)


def predicted(explainer, images, **kwargs):
    return explainer.predict(images, verbose=0, **kwargs)


def with_pixel(value):
    images = photos()
    images[1, 2, 3, 0] = value
    return images


BAD_IMAGES = [
    (photos()[0], ValueError, r"images\[None\]"),
    (photos()[..., 0], ValueError, "batch of shape"),
    (photos()[None], ValueError, "batch of shape"),
    (photos()[:0], ValueError, "at least one image"),
    (photos()[:, :-1], ValueError, "model's input shape"),
    (photos()[..., :1], ValueError, "model's input shape"),
    (with_pixel(np.nan), ValueError, "number 1 of the batch of 3"),
    (with_pixel(np.inf), ValueError, "number 1 of the batch of 3"),
    (with_pixel(np.nan).astype("float64"), ValueError, "number 1"),
    (np.where(photos() > 100, 1e200, photos().astype("float64")), ValueError, "finite"),
    (photos().astype("complex64"), TypeError, "real numbers"),
    (np.full((1, 2, 2, 3), "a"), TypeError, "real numbers"),
    (with_pixel(300), ValueError, "value_range"),
    (with_pixel(-5), ValueError, "value_range"),
]


@pytest.mark.parametrize("how", [called, predicted])
@pytest.mark.parametrize(("images", "error", "text"), BAD_IMAGES)
def test_bad_images(explainer, how, images, error, text):
    with pytest.raises(error, match=text):
        how(explainer, images=images)


BAD_TARGETS = [
    ([0, CLASSES, 1], ValueError, f"from 0 to {CLASSES - 1}"),
    ([0, -2, 1], ValueError, "-2"),
    ([0, 1], ValueError, r"shape \(3,\)"),
    ([[0], [1], [2]], ValueError, r"shape \(3,\)"),
    (np.eye(CLASSES)[:3], TypeError, "argmax"),
    ([0.0, 1.0, 2.0], TypeError, "integers"),
    ([True, False, True], TypeError, "integers"),
    (["cat", "dog", "cow"], TypeError, "integers"),
    (2**40, ValueError, "class indices"),
]


@pytest.mark.parametrize("how", [called, predicted])
@pytest.mark.parametrize(("targets", "error", "text"), BAD_TARGETS)
def test_bad_targets(explainer, how, targets, error, text):
    with pytest.raises(error, match=text):
        how(explainer, images=photos(), targets=targets)


BAD_SEGMENTS = [
    (np.zeros((4, 4), int), ValueError, "Resize them"),
    (np.zeros((2, *SIZE[:2]), int), ValueError, "segments must have shape"),
    (np.full(SIZE[:2], -1), ValueError, "0 and above"),
    (np.zeros(SIZE[:2]), TypeError, "integer labels"),
]


@pytest.mark.parametrize("how", [called, predicted])
@pytest.mark.parametrize(("segments", "error", "text"), BAD_SEGMENTS)
def test_bad_segments(explainer, how, segments, error, text):
    with pytest.raises(error, match=text):
        how(explainer, images=photos(), segments=segments)


@pytest.mark.cases(1)
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float64", "float16"])
def test_numbers_of_other_types_are_converted_and_not_cut(explainer, dtype):
    whole = np.round(photos())
    expected = explainer(whole)["maps"].numpy()
    np.testing.assert_array_equal(explainer(whole.astype(dtype))["maps"], expected)
    np.testing.assert_array_equal(
        explainer.predict(whole.astype(dtype), verbose=0)["maps"],
        explainer.predict(whole, verbose=0)["maps"],
    )
    as_list = explainer(whole.astype(dtype).tolist())
    np.testing.assert_array_equal(as_list["maps"], expected)


def test_fractions_survive_float64(explainer):
    halves = photos().astype("float64") + 0.25
    np.testing.assert_array_equal(
        explainer(halves)["maps"], explainer(halves.astype("float32"))["maps"]
    )


@pytest.mark.parametrize("how", [called, predicted])
def test_pairs_and_unknown_keys_are_refused(explainer, how):
    with pytest.raises(ValueError, match="targets"):
        how(explainer, images=(photos(), np.zeros(3, int)))
    with pytest.raises(ValueError, match="holds"):
        how(explainer, images={"images": photos(), "labels": [1, 2, 3]})
    with pytest.raises(ValueError, match="holds"):
        how(explainer, images={"targets": [1, 2, 3]})


NO_GRADIENT = [
    lambda x: tf.one_hot(tf.argmax(tf.reshape(x, [-1, 396]), 1) % 5, 5),
    lambda x: tf.stop_gradient(tf.reshape(x, [-1, 396])[:, :5]),
    lambda x: tf.cast(tf.cast(tf.reshape(x, [-1, 396])[:, :5], tf.int32), tf.float32),
    lambda x: tf.zeros([tf.shape(x)[0], 5]),
]


@pytest.mark.parametrize("model", NO_GRADIENT)
@pytest.mark.parametrize("method", [tss.SimpleGradient, tss.SmoothGrad])
def test_models_without_a_gradient(model, method):
    with pytest.raises(ValueError, match="no gradient"):
        method(model, model_output="logit")(photos())


def test_a_model_of_integers():
    model = keras.Sequential(
        [keras.Input((4, 4, 1), dtype="int32"), keras.layers.Flatten()]
    )
    with pytest.raises(ValueError, match="integers have no gradient"):
        tss.SimpleGradient(model)


def test_outputs_that_are_no_row_of_scores():
    model = keras.Sequential([keras.Input(SIZE), keras.layers.Conv2D(5, 3)])
    with pytest.raises(ValueError, match="one row of class scores"):
        tss.SimpleGradient(model)(photos())

    def centre(outputs, targets):
        return outputs[:, 5, 5, 2]

    maps = tss.SimpleGradient(model, score=centre)(photos())["maps"].numpy()
    kernel = model.get_weights()[0]
    np.testing.assert_allclose(maps[:, 5:8, 5:8], [kernel[..., 2]] * 3, rtol=1e-5)
    assert np.count_nonzero(maps.any(-1)) == 3 * 9


@pytest.mark.parametrize(
    "superpixels", ["quickshift", tss.Quickshift, np.zeros((4, 4))]
)
def test_superpixels_are_layers(superpixels):
    with pytest.raises(TypeError, match="super-pixel layer"):
        tss.SimpleGradient(classifier(), superpixels)
