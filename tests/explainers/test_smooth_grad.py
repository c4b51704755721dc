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
SAMPLES = 5


@pytest.fixture(scope="module")
def model():
    return classifier()


def points(image, seed=3, antithetic=True):
    return reference.noisy(image, 0.15, seed, SAMPLES, antithetic)


def explainer(model, superpixels=None, **kwargs):
    settings = {"num_samples": SAMPLES, "noise_level": 0.15, "seed": 3}
    return tss.SmoothGrad(model, superpixels=superpixels, **{**settings, **kwargs})


@pytest.mark.cases(1)
@pytest.mark.parametrize("antithetic", [True, False])
@pytest.mark.parametrize("name", [None, "grid", "brightness", "quickshift"])
def test_static_equals_the_twin(model, name, antithetic):
    layer, segment = LAYERS[name] if name else (lambda: None, lambda image: None)
    images = photos(2)
    out = explainer(model, layer(), antithetic=antithetic)(images, TARGETS)
    expected = [
        reference.smooth_grad(
            twin(model),
            image,
            target,
            points(image, antithetic=antithetic),
            [segment(image)] * SAMPLES,
        )
        for image, target in zip(images, TARGETS)
    ]
    assert relative_error(out["maps"], expected).max() < 1e-5


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", ["grid", "brightness", "quickshift"])
@pytest.mark.parametrize("sigma", [0.0, 0.8])
def test_dynamic_equals_the_twin(model, name, sigma):
    layer, segment = LAYERS[name]
    images = photos(2)
    dynamic = explainer(model, layer(), partition="dynamic", dynamic_sigma=sigma)
    out = dynamic(images, TARGETS)
    expected, counts = [], []
    for image, target in zip(images, TARGETS):
        labels = [
            reference.dynamic_labels(point, segment, sigma) for point in points(image)
        ]
        expected.append(
            reference.smooth_grad(twin(model), image, target, points(image), labels)
        )
        counts.append(np.mean([len(np.unique(one)) for one in labels]))
    np.testing.assert_allclose(out["num_groups"], counts, rtol=1e-6)
    assert relative_error(out["maps"], expected).max() < 1e-5


def test_of_a_linear_model_it_is_the_weights():
    weights = np.random.default_rng(0).standard_normal((4, 3, 2, 3))
    smooth = explainer(linear_model(weights), score="logit", num_samples=7)
    images = np.random.default_rng(1).standard_normal((3, 4, 3, 2))
    maps = smooth(images, targets=[0, 1, 2])["maps"].numpy()
    np.testing.assert_allclose(maps, np.moveaxis(weights, -1, 0), rtol=1e-6)


@pytest.mark.parametrize("num_samples", [1, 4])
def test_without_noise_it_is_the_gradient(model, num_samples):
    grid = tss.SquareGrid(size=3)
    plain = tss.SimpleGradient(model, grid)(photos())
    out = explainer(model, grid, noise_level=0, num_samples=num_samples)(photos())
    assert relative_error(out["maps"], plain["maps"]).max() < 1e-6


def test_the_noise_scales_with_each_images_own_range(model):
    images = photos(2)
    images[1] = 100 + images[1] / 20
    both = explainer(model)(images, TARGETS)["maps"].numpy()
    for image, target, one in zip(images, TARGETS, both):
        sigma = 0.15 * (np.float64(image.max()) - image.min())
        noisy = [
            np.float64(image) + sign * sigma * reference.normal(image.shape, 3, s)
            for s, sign in [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1)]
        ]
        expected = twin(model).gradient(np.stack(noisy), [target] * SAMPLES).mean(0)
        assert relative_error(one[None], expected[None]).max() < 1e-5


def test_every_image_of_a_batch_sees_the_same_noise(model):
    images = np.stack([photos(1)[0]] * 3)
    maps = explainer(model)(images)["maps"].numpy()
    assert relative_error(maps[1:], maps[:1]).max() < 1e-6


def test_another_seed_is_other_noise_and_more_samples_go_on(model):
    maps = {
        (seed, count): explainer(model, seed=seed, num_samples=count)(photos(1), 0)[
            "maps"
        ].numpy()
        for seed, count in [(3, 5), (4, 5), (3, 6)]
    }
    assert relative_error(maps[4, 5], maps[3, 5])[0] > 0.05
    image = photos(1)[0]
    sixth = np.float64(image) - 0.15 * np.ptp(image) * reference.normal(
        image.shape, 3, 2
    )
    expected = (5 * maps[3, 5] + twin(model).gradient(sixth[None], [0])) / 6
    assert relative_error(maps[3, 6], expected)[0] < 1e-5


def test_the_class_is_the_clean_images(model):
    image = photos(1)
    noisy = explainer(model, noise_level=3.0, num_samples=8)(image)
    clean = model.predict(image, verbose=0)
    assert noisy["targets"].numpy() == clean.argmax()
    np.testing.assert_allclose(noisy["scores"], clean.max(axis=1), rtol=1e-6)


@pytest.mark.thorough
def test_the_samples_that_fill_a_chunk_are_no_samples_of_their_own():
    # Of 13 samples in pairs a 14th would be computed, and more in chunks of 4. Its
    # gradient is NaN in this model, which a weight of 0 does not take away.
    image = np.ones((1, 2, 2, 1), "float32")
    image[0, 0, 0] = 0
    sums = [
        image.sum() + 0.15 * reference.normal((2, 2, 1), 0, s).sum() for s in range(15)
    ]
    last = int(np.argmin(sums))
    assert last == 13
    barrier = np.float32((sorted(sums)[0] + sorted(sums)[1]) / 2)

    def model(images):
        total = tf.reduce_sum(images, [1, 2, 3]) - barrier
        return tf.stack([tf.sqrt(total), tf.zeros_like(total)], axis=1)

    for chunk_size in (1, 4, 5, 13):
        smooth = tss.SmoothGrad(
            model, num_samples=last, chunk_size=chunk_size, score="logit",
            model_output="logit", noise_level=0.15, antithetic=False,
        )  # fmt: skip
        out = smooth(image, targets=0)
        assert out["status"].numpy() == 0
        assert np.isfinite(out["maps"]).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_samples", 0),
        ("num_samples", 2.5),
        ("noise_level", -0.1),
        ("noise_level", float("nan")),
        ("seed", -1),
        ("seed", 2**31),
        ("chunk_size", 0),
        ("dynamic_sigma", -1),
        ("partition", "both"),
    ],
)
def test_arguments_out_of_range_are_named(model, name, value):
    with pytest.raises(ValueError, match=name):
        tss.SmoothGrad(model, **{name: value})
