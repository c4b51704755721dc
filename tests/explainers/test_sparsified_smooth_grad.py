import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import (
    classifier,
    linear_model,
    photos,
    relative_error,
    twin,
)
from tests.explainers.partitions import LAYERS
from tests.reference import explainers as reference

TARGETS = [4, 0]
SAMPLES = 4
TOP, SATURATION = 0.13, 0.04


@pytest.fixture(scope="module")
def model():
    return classifier()


def explainer(model, superpixels=None, **kwargs):
    settings = {
        "num_samples": SAMPLES,
        "seed": 1,
        "top_fraction": TOP,
        "saturation_fraction": SATURATION,
    }
    return tss.SparsifiedSmoothGrad(model, superpixels, **{**settings, **kwargs})


@pytest.mark.cases(1)
@pytest.mark.parametrize("order", ["group_last", "sparsify_last"])
@pytest.mark.parametrize("relaxed", [False, True])
@pytest.mark.parametrize(
    ("name", "partition"),
    [("brightness", "static"), ("brightness", "dynamic"), ("quickshift", "dynamic")],
)
def test_equals_the_twin(model, order, relaxed, name, partition):
    layer, segment = LAYERS[name]
    images = photos(2)
    out = explainer(
        model, layer(), relaxed=relaxed, order=order, partition=partition,
        dynamic_sigma=0.8,
    )(images, TARGETS)  # fmt: skip
    expected, shares = [], []
    for image, target in zip(images, TARGETS):
        points = reference.noisy(image, 0.15, 1, SAMPLES)
        labels = [segment(image)] * SAMPLES
        if partition == "dynamic":
            labels = [reference.dynamic_labels(p, segment, 0.8) for p in points]
        one, share = reference.sparsified_smooth_grad(
            twin(model), image, target, points, labels, order, TOP,
            SATURATION if relaxed else None,
        )  # fmt: skip
        expected.append(one)
        shares.append(share)
    assert relative_error(out["maps"], expected).max() < 1e-5
    np.testing.assert_allclose(out["kept_fraction"], shares, rtol=1e-6)


@pytest.mark.cases(1)
@pytest.mark.parametrize("relaxed", [False, True])
def test_without_superpixels_the_order_does_not_matter(model, relaxed):
    images = photos(2)
    first = explainer(model, relaxed=relaxed, order="group_last")(images, TARGETS)
    last = explainer(model, relaxed=relaxed, order="sparsify_last")(images, TARGETS)
    np.testing.assert_array_equal(first["maps"], last["maps"])
    points = reference.noisy(images[0], 0.15, 1, SAMPLES)
    expected, share = reference.sparsified_smooth_grad(
        twin(model), images[0], TARGETS[0], points, [None] * SAMPLES, "group_last",
        TOP, SATURATION if relaxed else None,
    )  # fmt: skip
    assert relative_error(first["maps"][:1], expected[None])[0] < 1e-5
    np.testing.assert_allclose(first["kept_fraction"][0], share, rtol=1e-6)


def test_of_a_linear_model_it_marks_the_largest_weights():
    weights = np.array([4.0, -6.0, 1.0, -2.0, 3.0, 0.5, 0.0, 5.0]).reshape(2, 4, 1, 1)
    model = linear_model(np.concatenate([weights, -weights], axis=-1))
    kwargs = {"score": "logit", "top_fraction": 0.5, "saturation_fraction": 0.25}
    images = np.random.default_rng(0).uniform(0, 1, (1, 2, 4, 1))
    binary = explainer(model, **kwargs)(images, targets=0)["maps"].numpy().ravel()
    assert binary.tolist() == [1, 1, 0, 0, 1, 0, 0, 1]
    relaxed = explainer(model, relaxed=True, **kwargs)(images, targets=1)
    # The second largest, 5, and all above count in full; the others by their share.
    expected = [4 / 5, 1, 0, 0, 3 / 5, 0, 0, 1]
    np.testing.assert_allclose(relaxed["maps"].numpy().ravel(), expected, rtol=1e-6)


def test_ties_are_kept_whole_and_zeros_never():
    weights = np.array([2.0, -2.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0]).reshape(2, 4, 1, 1)
    model = linear_model(np.concatenate([weights, weights], axis=-1))
    images = np.random.default_rng(0).uniform(0, 1, (1, 2, 4, 1))
    out = explainer(model, score="logit", top_fraction=0.125)(images, targets=0)
    assert out["maps"].numpy().ravel().tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert out["kept_fraction"].numpy() == pytest.approx(3 / 8)
    out = explainer(model, score="logit", top_fraction=1.0)(images, targets=0)
    assert out["maps"].numpy().ravel().tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert out["kept_fraction"].numpy() == pytest.approx(4 / 8)


def test_maps_are_unsigned_and_at_most_one(model):
    for relaxed in (False, True):
        maps = explainer(model, tss.SquareGrid(size=3), relaxed=relaxed)(photos())
        assert maps["maps"].numpy().min() >= 0
        assert maps["maps"].numpy().max() <= 1
        np.testing.assert_allclose(maps["heatmaps"], maps["maps"].numpy().sum(-1))


@pytest.mark.cases(2)
@pytest.mark.parametrize("order", ["group_last", "sparsify_last"])
@pytest.mark.parametrize(
    "superpixels", [None, tss.SquareGrid(size=2, value_range=(0, 1))]
)
def test_a_gradient_that_is_not_finite_stays_seen(order, superpixels):
    def model(images):
        total = tf.reduce_sum(tf.sqrt(images), [1, 2, 3])
        return tf.stack([total, -total], axis=1)

    images = np.ones((2, 4, 4, 1), "float32")
    images[1, 0, 0] = 0
    sparse = explainer(
        model, superpixels, noise_level=0, order=order, score="logit",
        model_output="logit",
    )  # fmt: skip
    with pytest.warns(UserWarning, match="NaN or infinite values"):
        out = sparse(images)
    assert out["status"].numpy().tolist() == [0, 8]
    assert np.isfinite(out["maps"][0]).all()


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"top_fraction": 0}, "top_fraction"),
        ({"top_fraction": 1.5}, "top_fraction"),
        ({"saturation_fraction": 0}, "saturation_fraction"),
        ({"relaxed": True, "saturation_fraction": 0.2}, "at most top_fraction"),
        ({"order": "never"}, "order"),
    ],
)
def test_arguments_out_of_range_are_named(model, kwargs, text):
    with pytest.raises(ValueError, match=text):
        tss.SparsifiedSmoothGrad(model, **kwargs)
