"""What every explainer returns: keys, types, targets, scores, segments, status."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, SIZE, classifier, photos
from tests.reference import groups

EXPLAINERS = {
    "simple": tss.SimpleGradient,
    "smooth": functools.partial(tss.SmoothGrad, num_samples=3),
    "sparsified": functools.partial(tss.SparsifiedSmoothGrad, num_samples=3),
    "integrated": functools.partial(
        tss.IntegratedGradients, num_steps=3, quadrature="midpoint"
    ),
}


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", EXPLAINERS)
def test_outputs_fit_together(model, name):
    images = photos()
    out = EXPLAINERS[name](model, tss.Quickshift())(images)
    maps, segments = out["maps"].numpy(), out["segments"].numpy()
    assert maps.shape == images.shape and maps.dtype == np.float32
    heat = np.abs(np.float64(maps)).sum(-1)
    np.testing.assert_allclose(out["heatmaps"], heat, rtol=1e-6)
    np.testing.assert_array_equal(segments, tss.Quickshift()(images))
    np.testing.assert_array_equal(segments, groups.number(segments))  # raster order
    for one, labels in zip(maps, segments):
        for label in range(labels.max() + 1):
            assert (one[labels == label] == one[labels == label][0]).all()
    probabilities = model.predict(images, verbose=0)
    np.testing.assert_array_equal(out["targets"], probabilities.argmax(1))
    np.testing.assert_allclose(out["scores"], probabilities.max(1), rtol=1e-5)
    assert out["status"].numpy().tolist() == [0, 0, 0]
    kinds = {key: value.dtype.name for key, value in out.items()}
    for key in ("segments", "targets", "status"):
        assert kinds.pop(key) == "int32"
    assert set(kinds.values()) == {"float32"}


def test_without_superpixels_each_pixel_is_a_group(model):
    segments = tss.SimpleGradient(model)(photos())["segments"].numpy()
    for one in segments:
        np.testing.assert_array_equal(one.ravel(), np.arange(SIZE[0] * SIZE[1]))


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", EXPLAINERS)
@pytest.mark.parametrize(
    "targets",
    [[1, -1, 3], np.array([1, -1, 3], "int64"), tf.constant([1, -1, 3]), (1, -1, 3)],
)
def test_targets_of_every_kind(model, name, targets):
    predicted = model.predict(photos(), verbose=0)
    expected = [1, predicted[1].argmax(), 3]
    out = EXPLAINERS[name](model, None)(photos(), targets=targets)
    assert out["targets"].numpy().tolist() == expected
    scores = predicted[np.arange(3), expected]
    np.testing.assert_allclose(out["scores"], scores, rtol=1e-5)


def test_one_target_for_all_and_none(model):
    explainer = tss.SimpleGradient(model)
    for target in (2, np.int64(2), np.array(2, "uint8")):
        assert explainer(photos(), target)["targets"].numpy().tolist() == [2, 2, 2]
    predicted = model.predict(photos(), verbose=0).argmax(1)
    for targets in (None, -1, [-1, -1, -1]):
        np.testing.assert_array_equal(
            explainer(photos(), targets)["targets"], predicted
        )


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_mixed_batch_is_each_image_by_itself(model, name):
    explainer = EXPLAINERS[name](model, tss.SquareGrid(size=4))
    together = explainer(photos(), targets=[4, -1, 0])
    for i, target in enumerate([4, -1, 0]):
        alone = explainer(photos()[i : i + 1], targets=[target])
        for key in alone:
            np.testing.assert_allclose(
                together[key][i], alone[key][0], rtol=1e-5, atol=1e-6, err_msg=key
            )


@pytest.mark.parametrize(
    ("score", "expected"),
    [("logit", lambda z: z), ("probability", lambda z: np.exp(z) / np.exp(z).sum())],
)
def test_scores_are_those_asked_for(score, expected):
    model = classifier(activation=None)
    out = tss.SimpleGradient(model, score=score)(photos(1), targets=1)
    logits = np.float64(model.predict(photos(1), verbose=0))[0]
    np.testing.assert_allclose(out["scores"][0], expected(logits)[1], rtol=1e-5)


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_constant_score_has_a_zero_map_and_status_4(name):
    model = classifier()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([0 * kernel, bias])
    with pytest.warns(UserWarning, match="3 of 3 images: the map is 0"):
        out = EXPLAINERS[name](model, tss.SquareGrid(size=4))(photos())
    assert out["status"].numpy().tolist() == [4, 4, 4]
    assert not out["maps"].numpy().any()


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", EXPLAINERS)
def test_a_gradient_that_is_not_finite_has_status_8(name):
    # √ has no finite gradient at 0, nor below, where noise takes the second image.
    def model(images):
        total = tf.reduce_sum(tf.sqrt(images), [1, 2, 3])
        return tf.stack([total, -total], axis=1)

    images = np.full((2, 4, 4, 1), 50, "float32")
    images[1, 2, 2] = 0
    explainer = EXPLAINERS[name](
        model, tss.SquareGrid(size=2), score="logit", model_output="logit"
    )
    with pytest.warns(UserWarning, match="1 of 2 images: the gradient holds NaN"):
        out = explainer(images, targets=0)
    assert out["status"].numpy().tolist() == [0, 8]
    assert np.isfinite(out["maps"][0]).all()


def test_the_target_of_a_model_with_one_output_is_0():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    images = np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 1))
    out = tss.SimpleGradient(model)(images)
    assert out["targets"].numpy().tolist() == [0, 0]
    p = model.predict(images, verbose=0)
    np.testing.assert_allclose(out["scores"], p[:, 0], rtol=1e-6)
    expected = p * (1 - p) * model.get_weights()[0][:, 0]
    np.testing.assert_allclose(
        out["maps"].numpy().reshape(2, -1), expected, rtol=1e-5, atol=1e-7
    )
    with pytest.raises(ValueError, match="from 0 to 0"):
        tss.SimpleGradient(model)(images, targets=1)


def test_classes_are_counted_where_the_model_tells():
    assert tss.SimpleGradient(classifier())(photos(1), CLASSES - 1)["status"][0] == 0
