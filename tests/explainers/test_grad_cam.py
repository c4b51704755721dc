import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.explainers.networks import (
    SIZE,
    classifier,
    photos,
    relative_error,
    twin,
)
from tests.reference import cams as reference
from tests.reference import groups
from tf_superpixel_saliency.explainers import GradCAM
from tf_superpixel_saliency.superpixels import SquareGrid

TARGETS = [4, 0, 2]


@pytest.fixture(scope="module")
def model():
    return classifier()


def features_of(model, image):
    """(h, w, K): the last convolution's maps, by the slow twin."""
    network = twin(model)
    x = np.float64(image)[None] * network.scale + network.offset
    for kernel, bias, stride in network.convolutions:
        x = np.maximum(reference.convolved(x, kernel, stride) + bias, 0)
    return x[0]


def twin_maps(model, relu=True, logit=False):
    maps = []
    for image, target in zip(photos(), TARGETS):
        features = features_of(model, image)
        kernel, bias = (np.float64(w) for w in model.get_weights()[-2:])
        gradient = reference.dense_gradient(features, kernel, bias, target, logit)
        maps.append(reference.grad_cam(features, gradient, SIZE[:2], relu))
    return np.stack(maps)[..., None]


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("score", ["probability", "logit"])
def test_equals_the_twin(model, relu, score):
    out = GradCAM(model, relu=relu, score=score)(photos(), TARGETS)
    expected = twin_maps(model, relu, score == "logit")
    assert out["maps"].shape == expected.shape and out["maps"].dtype == tf.float32
    scale = np.abs(twin_maps(model, False, score == "logit")).max((1, 2, 3))
    error = np.abs(out["maps"].numpy() - expected).max((1, 2, 3))
    assert (error / scale).max() < 1e-5
    np.testing.assert_array_equal(out["heatmaps"], np.abs(out["maps"][..., 0]))
    p = model.predict(photos(), verbose=0)[np.arange(3), TARGETS]
    if score == "probability":
        np.testing.assert_allclose(out["scores"], p, rtol=1e-5)


def pooled(weights, activation=None):
    """Feature maps that are the image, their mean, and a dense layer."""
    channels = weights.shape[0]
    inputs = keras.Input((4, 6, channels))
    x = keras.layers.Conv2D(channels, 1, use_bias=False, name="maps")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(weights.shape[1], activation, use_bias=False)(x)
    model = keras.Model(inputs, x)
    model.set_weights([np.eye(channels)[None, None], weights])
    return model


def test_of_a_pooled_linear_head_it_is_the_class_activation_map():
    # Selvaraju et al., §3: α_k = w_kc / (h·w), here 24.
    weights = np.array([[3.0, -1.0], [-2.0, 5.0], [0.0, 7.0]])
    images = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype("float32")
    out = GradCAM(pooled(weights), relu=False)(images, targets=[0, 1])
    logit = GradCAM(pooled(weights), score="logit", relu=False)(images, targets=[0, 1])
    logits = images.mean((1, 2)) @ weights
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for number in (0, 1):
        by_class = images[number] @ weights / 24
        found = logit["maps"][number, ..., 0]
        np.testing.assert_allclose(found, by_class[..., number], rtol=1e-5, atol=1e-6)
        # p_c (1 − p_c) (w_c − w_other) for two classes.
        difference = by_class[..., number] - by_class[..., 1 - number]
        expected = p[number].prod() * difference
        found = out["maps"][number, ..., 0]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_only_what_speaks_for_the_class_is_left():
    images = np.resize(np.float32([1, -2, 3]), (1, 4, 6, 1))
    model = pooled(np.array([[2.0, -2.0]]))
    first = GradCAM(model, score="logit")(images, targets=0)["maps"].numpy()
    second = GradCAM(model, score="logit")(images, targets=1)["maps"].numpy()
    np.testing.assert_allclose(first, np.maximum(images, 0) / 12, rtol=1e-6)
    np.testing.assert_allclose(second, np.maximum(-images, 0) / 12, rtol=1e-6)


def test_nothing_for_the_class_is_a_map_of_zeros_with_its_flag():
    images = np.ones((1, 4, 6, 1), "float32")
    model = pooled(np.array([[2.0, -2.0]]))
    with pytest.warns(UserWarning, match="score does not change"):
        out = GradCAM(model, score="logit")(images, targets=1)
    assert out["status"].numpy() == 4 and not out["maps"].numpy().any()
    signed = GradCAM(model, score="logit", relu=False)(images, targets=1)
    np.testing.assert_allclose(
        signed["maps"], np.full((1, 4, 6, 1), -1 / 12), rtol=1e-6
    )


def test_a_saturated_softmax_keeps_its_gradient():
    # A gap of 60 in the logits: p_c rounds to 1, and its plain gradient to 0.
    weights = np.array([[60.0, 0.0]])
    images = np.ones((1, 4, 6, 1), "float32")
    out = GradCAM(pooled(weights, "softmax"))(images, targets=0)
    expected = np.exp(-60.0) * 60 / 24
    np.testing.assert_allclose(out["maps"], np.full((1, 4, 6, 1), expected), rtol=1e-5)


def test_groups_are_means_of_the_enlarged_map(model):
    plain = GradCAM(model, relu=False)(photos(), TARGETS)["maps"].numpy()
    labels = np.random.default_rng(0).integers(0, 9, (3, *SIZE[:2]))
    given = GradCAM(model, relu=False)(photos(), TARGETS, segments=labels)
    assert relative_error(given["maps"], groups.mean(plain, labels)).max() < 1e-6
    rows, columns = np.arange(SIZE[0]) // 3, np.arange(SIZE[1]) // 3
    grid = np.stack([rows[:, None] * 9 + columns] * 3)
    layer = GradCAM(model, SquareGrid(size=3), relu=False)(photos(), TARGETS)
    assert relative_error(layer["maps"], groups.mean(plain, grid)).max() < 1e-6


def test_it_is_a_layer_of_other_models(model):
    explainer = GradCAM(model)
    inputs = keras.Input(SIZE)
    outer = keras.Model(inputs, explainer(inputs)["heatmaps"])
    expected = explainer(photos())["heatmaps"]
    np.testing.assert_allclose(outer.predict(photos(), verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize("value", [1, "yes", None])
def test_arguments_out_of_range_are_named(model, value):
    with pytest.raises(ValueError, match="relu"):
        GradCAM(model, relu=value)
