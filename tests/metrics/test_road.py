"""ROAD against a slow twin and classifiers whose answer is known."""

import importlib

import numpy as np
import pytest

from tests.metrics.predictors import softmax_network
from tests.reference import fidelity
from tests.reference import imputation as reference
from tf_superpixel_saliency.metrics.ranking import random_arrangements
from tf_superpixel_saliency.metrics.road import road

# The front has the function under the name of its module.
road_module = importlib.import_module(road.__module__)
SHAPE = (3, 6, 5, 3)
RNG = np.random.default_rng(0)
IMAGES = RNG.random(SHAPE).astype(np.float32)
TIED = RNG.integers(-2, 3, SHAPE).astype(np.float32)
NETWORK = softmax_network(SHAPE[1:])
LABELS = np.array([0, 2, 1])
TARGETS = np.array([1, 3, 0])
UNIT = {"value_range": (0, 1), "seed": 4}


def twin(order, fractions, num_seeds, noises, scale):
    correct, probabilities = np.zeros((2, 3, len(fractions)))
    for n in range(3):
        scores = fidelity.scores(TIED[n], "absolute")
        for s, arrangement in enumerate(random_arrangements(30, num_seeds, 4)):
            pixels = fidelity.order(scores, 1, np.argsort(arrangement))
            if order == "lerf":
                pixels = pixels[::-1]
            for f, fraction in enumerate(fractions):
                mask = np.zeros((6, 5), bool)
                for i, j in pixels[: round(fraction * 30)]:
                    mask[i, j] = True
                image = reference.impute(IMAGES[n].astype(float), mask)
                image = image + scale * noises[s] * mask[..., None]
                row = NETWORK(image[None].astype(np.float32))[0]
                correct[n, f] += (row.argmax() == LABELS[n]) / num_seeds
                probabilities[n, f] += row[TARGETS[n]] / num_seeds
    return correct, probabilities


@pytest.mark.parametrize("order", ["morf", "lerf"])
@pytest.mark.parametrize("scale", [0.0, 0.3])
def test_equals_the_twin(monkeypatch, order, scale):
    monkeypatch.setattr(road_module, "_TOLERANCE", 1e-6)
    fractions = [0, 0.1, 0.5, 0.9]
    found = road(
        NETWORK,
        IMAGES,
        TIED,
        LABELS,
        TARGETS,
        fractions=fractions,
        order=order,
        imputation_noise=scale,
        num_seeds=3,
        **UNIT,
    )
    noises = [np.random.default_rng([4, s, 1]).normal(size=SHAPE[1:]) for s in range(3)]
    correct, probabilities = twin(order, fractions, 3, noises, scale)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-5)
    np.testing.assert_allclose(found.correct, correct)
    np.testing.assert_allclose(found.accuracy, correct.mean(axis=0))
    np.testing.assert_allclose(found.probability, probabilities.mean(axis=0), atol=1e-5)
    np.testing.assert_array_equal(found.fractions, fractions)


def bright_left(images):
    """Class 1 if the left half is brighter than the right, by a steep sigmoid."""
    half = images.shape[2] // 2
    contrast = images[:, :, :half].mean(axis=(1, 2, 3))
    contrast = contrast - images[:, :, half:].mean(axis=(1, 2, 3))
    p = 1 / (1 + np.exp(-100 * (contrast - 0.1)))
    return np.stack([1 - p, p], axis=1)


def bright_spot():
    """A spot on the left, the map that shows it, and one that shows the opposite."""
    image = np.full((1, 10, 10, 3), 0.2)
    image[0, 3:7, 1:4] = 1.0
    shown = (image[..., 0] > 0.5).astype(float)
    return image, shown, 1 - shown


def test_a_map_of_what_matters_falls_at_once_and_its_opposite_late():
    image, right, wrong = bright_spot()
    fractions = [0.0, 0.12, 0.5]

    def accuracy(maps, **arguments):
        return road(
            bright_left, image, maps, [1], fractions=fractions, **UNIT, **arguments
        ).accuracy.tolist()

    assert accuracy(right) == [1, 0, 0]
    assert accuracy(wrong)[:2] == [1, 1]
    assert accuracy(right, order="lerf")[:2] == [1, 1]
    assert accuracy(wrong, order="lerf") == [1, 0, 0]


def test_a_plane_survives():
    rows, columns = np.mgrid[:12, :12]
    plane = (0.02 * rows + 0.05 * columns)[None, ..., None] * np.ones(3)
    inside = np.zeros((1, 12, 12))
    inside[:, 1:-1, 1:-1] = RNG.random((10, 10)) + 1
    seen = []

    def predict(images):
        seen.append(images[0])
        return np.tile([[0.3, 0.7]], (len(images), 1))

    road(
        predict, plane, inside, [0], [0], batch_size=1, imputation_noise=0,
        fractions=[0.3, 0.6], num_seeds=1,
    )  # fmt: skip
    for image in seen:
        np.testing.assert_allclose(image, plane[0], atol=3e-3 * np.ptp(plane))


def test_noise_is_added_to_imputed_pixels_alone_and_scales_with_the_range():
    seen = []

    def predict(images):
        seen.append(images.copy())
        return np.tile([[0.3, 0.7]], (len(images), 1))

    flat = np.full((1, 64, 64, 3), 100.0)
    maps = np.zeros((1, 64, 64))
    maps[:, :32] = 1
    road(predict, flat, maps, [0], [0], fractions=[0.5], num_seeds=2, batch_size=2)
    noise = seen[-1] - 100
    assert not noise[:, 32:].any()
    np.testing.assert_allclose(noise[:, :32].std(), 2.55, rtol=0.03)
    assert (noise[0] != noise[1]).any()


def test_images_and_batches_do_not_matter():
    expected = road(NETWORK, IMAGES, TIED, LABELS, TARGETS, **UNIT)
    for batch_size in (1, 7):
        found = road(
            NETWORK, IMAGES, TIED, LABELS, TARGETS, batch_size=batch_size, **UNIT
        )
        np.testing.assert_allclose(found.probabilities, expected.probabilities)
    alone = road(NETWORK, IMAGES[1:2], TIED[1:2], [2], [3], **UNIT)
    np.testing.assert_allclose(alone.probabilities, expected.probabilities[1:2])


def test_the_class_predicted_is_followed_where_none_is_given():
    predicted = NETWORK(IMAGES).argmax(axis=1)
    found = road(NETWORK, IMAGES, TIED, LABELS, **UNIT)
    expected = road(NETWORK, IMAGES, TIED, LABELS, predicted, **UNIT)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"labels": [0, 1]}, "labels must be 3 true classes"),
        ({"labels": [0.0, 1.0, 2.0]}, "labels must be 3 true classes"),
        ({"fractions": [0.5, 1.0]}, "fractions must be numbers in"),
        ({"fractions": []}, "fractions must be numbers in"),
        ({"order": "random"}, "order must be one of"),
        ({"imputation_noise": -1}, "imputation_noise must be a number of at least"),
        ({"maps": TIED[:, :3]}, "maps must have shape"),
        ({"num_seeds": 0}, "num_seeds"),
    ],
)
def test_wrong_arguments(arguments, text):
    arguments = {"maps": TIED, "labels": LABELS, "targets": TARGETS, **arguments}
    with pytest.raises(ValueError, match=text):
        road(NETWORK, IMAGES, **arguments)
