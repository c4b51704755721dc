import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import (
    SIZE,
    classifier,
    linear_model,
    photos,
    relative_error,
    twin,
)
from tests.explainers.partitions import LAYERS
from tests.reference import explainers as reference

TARGETS = [4, 0]
RULES = ["midpoint", "trapezoid", "gauss_legendre", "adaptive"]
BASELINES = {
    "constant": 100.0,
    "image": np.random.default_rng(5).uniform(0, 255, SIZE),
    "blur": "blur",
}


@pytest.fixture(scope="module")
def model():
    return classifier()


def start_of(name, image):
    if name == "blur":
        return reference.blur(image, 2.0)
    return np.broadcast_to(BASELINES[name], image.shape)


@pytest.mark.cases(1)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", BASELINES)
def test_static_equals_the_twin(model, rule, name):
    images = photos(2)
    # The adaptive rule goes all its rounds: 9, 4, 4, 8 and 5 nodes.
    num_steps = 30 if rule == "adaptive" else 7
    explainer = tss.IntegratedGradients(
        model, tss.SquareGrid(size=3), num_steps=num_steps, quadrature=rule,
        baseline=BASELINES[name], blur_sigma=2.0, chunk_size=6,
    )  # fmt: skip
    out = explainer(images, TARGETS)
    expected = []
    _, grid = LAYERS["grid"]
    for image, target in zip(images, TARGETS):
        one = reference.integrated_gradients(
            twin(model), image, target, start_of(name, image), rule, num_steps,
            lambda point: grid(point),
        )  # fmt: skip
        expected.append(one)
    assert relative_error(out["maps"], expected).max() < 2e-5
    starts = np.stack([start_of(name, image) for image in images])
    change = twin(model).score(images, TARGETS) - twin(model).score(starts, TARGETS)
    error = np.abs(np.sum(expected, axis=(1, 2, 3)) - change)
    np.testing.assert_allclose(out["completeness_error"], error, atol=2e-6)


@pytest.mark.cases(1)
@pytest.mark.parametrize("layer_name", ["brightness", "quickshift"])
@pytest.mark.parametrize("rule", ["midpoint", "adaptive"])
def test_dynamic_equals_the_twin(model, layer_name, rule):
    num_steps = 12 if rule == "adaptive" else 6
    layer, segment = LAYERS[layer_name]
    images = photos(2)
    explainer = tss.IntegratedGradients(
        model, layer(), num_steps=num_steps, quadrature=rule, partition="dynamic"
    )
    out = explainer(images, TARGETS)
    for i, (image, target) in enumerate(zip(images, TARGETS)):
        labels = []

        def labels_of(point, labels=labels):
            labels.append(reference.dynamic_labels(point, segment, 0.0))
            return labels[-1]

        expected = reference.integrated_gradients(
            twin(model), image, target, np.zeros(SIZE), rule, num_steps, labels_of
        )
        count = np.mean([len(np.unique(one)) for one in labels])
        assert relative_error(out["maps"][i : i + 1], expected[None])[0] < 2e-5
        np.testing.assert_allclose(out["num_groups"][i], count, rtol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_of_a_linear_model_it_is_difference_times_weights(rule):
    weights = np.random.default_rng(0).standard_normal((4, 3, 2, 3))
    start = np.random.default_rng(2).standard_normal((4, 3, 2))
    explainer = tss.IntegratedGradients(
        linear_model(weights), num_steps=5, quadrature=rule, baseline=start,
        score="logit",
    )  # fmt: skip
    images = np.random.default_rng(1).standard_normal((3, 4, 3, 2))
    out = explainer(images, targets=[0, 1, 2])
    expected = (images - start) * np.moveaxis(weights, -1, 0)
    assert relative_error(out["maps"], expected).max() < 1e-6
    assert out["completeness_error"].numpy().max() < 1e-5


def quadratic(outputs, targets):
    return tf.reduce_sum(outputs**2, axis=-1)


@pytest.mark.parametrize(
    ("rule", "num_steps"),
    [("midpoint", 1), ("midpoint", 8), ("trapezoid", 2), ("gauss_legendre", 1)],
)
def test_of_a_square_it_is_exact(rule, num_steps):
    # f = Σ x²: (x − x′) ⊙ ∫ 2(x′ + α(x − x′)) dα = x² − x′², a linear integrand.
    flat = keras.Sequential([keras.Input((3, 2, 1)), keras.layers.Flatten()])
    explainer = tss.IntegratedGradients(
        flat, num_steps=num_steps, quadrature=rule, baseline=2.0, score=quadratic
    )
    images = np.random.default_rng(1).uniform(-4, 4, (2, 3, 2, 1))
    out = explainer(images)
    assert relative_error(out["maps"], images**2 - 4.0).max() < 1e-6
    np.testing.assert_allclose(out["scores"], (images**2).sum((1, 2, 3)), rtol=1e-6)
    assert out["completeness_error"].numpy().max() < 1e-4


@pytest.mark.parametrize("partition", ["static", "dynamic"])
def test_grouping_leaves_the_sum(model, partition):
    # The same nodes for both, where the adaptive rule goes by the groups.
    kwargs = {"num_steps": 20, "quadrature": "midpoint"}
    grouped = tss.IntegratedGradients(
        model, tss.Quickshift(), partition=partition, **kwargs
    )(photos())
    pixel = tss.IntegratedGradients(model, **kwargs)(photos())
    sums = np.float64(grouped["maps"]).sum((1, 2, 3))
    np.testing.assert_allclose(
        sums, np.float64(pixel["maps"]).sum((1, 2, 3)), rtol=1e-5
    )
    assert (
        np.abs(grouped["maps"] - pixel["maps"]).max()
        > 1e-3 * np.abs(pixel["maps"]).max()
    )
    np.testing.assert_allclose(
        grouped["completeness_error"], pixel["completeness_error"], atol=1e-6
    )


@pytest.mark.cases(1)
@pytest.mark.parametrize("rule", RULES)
def test_the_completeness_error_falls_with_the_steps(model, rule):
    def worst(num_steps):
        explainer = tss.IntegratedGradients(
            model, num_steps=num_steps, quadrature=rule, chunk_size=128
        )
        return explainer(photos(4))["completeness_error"].numpy().max()

    # Kinks of a ReLU network: one order of the step's length at best.
    assert worst(512) < worst(4) / 16


def test_the_same_image_as_baseline_gives_a_map_of_zeros(model):
    images = photos(1)
    explainer = tss.IntegratedGradients(model, num_steps=3, baseline=images[0])
    with pytest.warns(UserWarning, match="does not change"):
        out = explainer(images)
    assert not out["maps"].numpy().any()
    assert out["completeness_error"].numpy() == 0


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"num_steps": 0}, "num_steps"),
        ({"num_steps": 1, "quadrature": "trapezoid"}, "num_steps must be at least 2"),
        ({"num_steps": 1}, "num_steps must be at least 2"),
        ({"tolerance": 0}, "tolerance"),
        ({"tolerance": 0.1, "quadrature": "midpoint"}, "tolerance needs quadrature"),
        ({"quadrature": "simpson"}, "quadrature"),
        ({"baseline": "black"}, "baseline"),
        ({"baseline": np.zeros((4, 4))}, "baseline must be a number, an image"),
        ({"baseline": np.nan}, "finite"),
        ({"baseline": [[["a"]]]}, "baseline"),
        ({"blur_sigma": 0}, "blur_sigma"),
    ],
)
def test_arguments_out_of_range_are_named(model, kwargs, text):
    with pytest.raises(ValueError, match=text):
        tss.IntegratedGradients(model, **kwargs)


def test_a_baseline_of_another_size_is_refused(model):
    explainer = tss.IntegratedGradients(model, baseline=np.zeros((3, 3, 3)))
    with pytest.raises(ValueError, match="baseline must be an image of shape"):
        explainer(photos())
