"""The randomisation check on maps that depend on the model, and on maps that don't."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest

from tests.metrics.partitions import squares
from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.metrics.randomization import randomize_layers
from tf_superpixel_saliency.metrics.sanity import randomization_check

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 1, (5, 8, 8, 1)).astype(np.float32)


def linear(units=3):
    """Two layers without activation: the map of a class is a row of their product."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(9, name="low")]
    top = keras.layers.Dense(units, name="top")
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers, top])
    model.set_weights([RNG.normal(size=w.shape) for w in model.get_weights()])
    return model


def gradient(model, images):
    """The exact gradient of output 0, the same for all images."""
    low, top = model.get_layer("low").kernel, model.get_layer("top").kernel
    row = np.asarray(low) @ np.asarray(top)[:, 0]
    return np.broadcast_to(row.reshape(8, 8, 1), images.shape)


def edges(model, images):
    """A map that shows the image and no model."""
    return images


MODEL = linear()


def test_a_map_of_the_image_is_found_out():
    found = randomization_check(edges, MODEL, IMAGES, metrics.cosine_similarity)
    assert found.layers == ("top", "low")
    np.testing.assert_allclose(found.similarity, 1)
    assert found.similarity.shape == (2, 5)


@pytest.mark.parametrize("order", ["cascading", "independent"])
def test_it_measures_what_the_randomised_copies_give(order):
    measure = metrics.cosine_similarity
    found = randomization_check(gradient, MODEL, IMAGES, measure, order, seed=4)
    copies = dict(randomize_layers(MODEL, order, seed=4))
    assert tuple(copies) == found.layers
    for row, copy in zip(found.similarity, copies.values()):
        expected = measure(gradient(MODEL, IMAGES), gradient(copy, IMAGES))
        np.testing.assert_allclose(row, expected)
    assert np.isnan(found.chance).all() and np.isnan(found.excess).all()


def test_unrelated_maps_are_not_alike_on_average():
    values = [
        randomization_check(
            gradient, MODEL, IMAGES[:1], metrics.cosine_similarity, seed=seed
        ).similarity[:, 0]
        for seed in range(12)
    ]
    # The last layer alone mixes 9 maps, which differ in 9 dimensions: 1/3 is usual.
    # With all layers random there are 64: 1/8 is.
    deviation = np.sqrt(np.mean(np.square(values), axis=0))
    assert (deviation < [0.5, 0.2]).all()
    assert (np.abs(np.mean(values, axis=0)) < [0.35, 0.12]).all()


def test_chance_is_taken_out():
    """Grouped by segments of unequal sizes, random maps look alike by chance."""
    segments = np.where(squares(8, 4) == 0, np.arange(64).reshape(8, 8), 99)
    measure = functools.partial(
        metrics.chance_corrected,
        functools.partial(metrics.cosine_similarity, signed=False),
        segments=segments,
        num_seeds=10,
    )
    found = randomization_check(gradient, MODEL, IMAGES, measure)
    expected = measure(
        gradient(MODEL, IMAGES),
        gradient(dict(randomize_layers(MODEL))["low"], IMAGES),
    )
    np.testing.assert_allclose(found.similarity[1], expected.observed)
    np.testing.assert_allclose(found.chance[1], expected.chance)
    np.testing.assert_allclose(found.excess[1], expected.excess)
    assert (found.chance > 0.3).all()
    assert (found.excess < found.similarity).all()


def test_the_model_is_left_alone():
    before = MODEL.get_weights()
    randomization_check(gradient, MODEL, IMAGES, metrics.l2_distance, layers=["low"])
    for a, b in zip(before, MODEL.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_graph_kept_for_the_copy_stays_valid():
    """The randomised model is one object throughout, the trained one another."""
    seen = []

    def explain(model, images):
        seen.append(model)
        return gradient(model, images)

    randomization_check(explain, MODEL, IMAGES, metrics.cosine_similarity)
    assert seen[0] is MODEL
    assert seen[1] is seen[2] is not MODEL


def test_a_measure_that_is_none():
    with pytest.raises(ValueError, match=r"shape \(5,\), but got shape \(\)"):
        randomization_check(edges, MODEL, IMAGES, lambda a, b: 1.0)
