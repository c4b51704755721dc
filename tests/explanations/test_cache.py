"""Explainers are told apart by what they were told, and by nothing else."""

import copy

import keras
import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, classifier, photos
from tf_superpixel_saliency.explanations.cache import ExplainerCache, as_key
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer

LAYERS = {
    "Quickshift": lambda: tss.Quickshift(max_dist=4),
    "SLIC": lambda: tss.SLIC(n_segments=9),
    "Felzenszwalb": lambda: tss.Felzenszwalb(scale=2),
    "CompactWatershed": lambda: tss.CompactWatershed(),
    "SquareGrid": lambda: tss.SquareGrid(size=3),
    "like another": lambda: tss.SquareGrid(like=tss.Quickshift()),
    "RandomPartition": lambda: tss.RandomPartition(like=tss.SLIC(), seed=2),
    "of preprocessing": lambda: keras.layers.Rescaling(1 / 255),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_equal_settings_are_one(name):
    one, other = LAYERS[name](), LAYERS[name]()
    assert as_key(one) == as_key(other) and hash(as_key(one)) == hash(as_key(other))
    keys = [as_key(make()) for make in LAYERS.values()]
    assert len(set(keys)) == len(keys)


def test_layers_of_other_settings_are_not():
    for one, other in (
        (tss.Quickshift(), tss.Quickshift(ratio=0.3)),
        (tss.Quickshift(), tss.Quickshift(value_range=(0, 1))),
        (tss.SquareGrid(like=tss.SLIC()), tss.SquareGrid(like=tss.SLIC(30))),
        (keras.layers.Rescaling(2.0), keras.layers.Rescaling(3.0)),
    ):
        assert as_key(one) != as_key(other)


class Stripes(SuperpixelLayer):
    """It doesn't write its argument to its configuration."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width

    def segment(self, images):
        raise NotImplementedError


def test_layers_whose_configuration_does_not_tell_all_are_themselves():
    """With weights, such as means that were adapted, or without a configuration."""
    one, other = keras.layers.Normalization(), keras.layers.Normalization()
    one.adapt(photos()), other.adapt(photos() * 2)
    assert as_key(one) != as_key(other) and as_key(one) == as_key(one)
    assert as_key(Stripes(3)) != as_key(Stripes(4))


def test_means_that_were_adapted_are_not_mixed_up():
    inner = classifier()
    model = tss.explainable(inner, "SimpleGradient", None)
    for scale in (1, 5):
        layer = keras.layers.Normalization()
        layer.adapt(photos() * scale)
        out = model.explain(photos(), preprocess=layer)
        expected = tss.SimpleGradient(inner, preprocess=layer)(photos())
        np.testing.assert_allclose(out.maps, expected["maps"], rtol=1e-4, atol=1e-9)


def test_values_of_any_type():
    array = np.arange(6.0).reshape(2, 3)
    assert as_key({"a": [1, array]}) == as_key({"a": (1, array.copy())})
    assert as_key({"a": array}) != as_key({"a": array + 1})
    assert as_key({"a": array}) != as_key({"a": array.astype("float32")})
    unhashable = {1, 2}
    assert as_key([unhashable]) == as_key([unhashable]) != as_key([{1, 2}])
    assert as_key({"a": 1, "b": 2}) == as_key({"b": 2, "a": 1})


def test_those_used_last_are_kept_and_copies_are_empty():
    cache, made = ExplainerCache(2), []

    def get(number):
        return cache.get({"number": number}, lambda: made.append(number) or number)

    assert [get(n) for n in (1, 2, 1, 3, 1, 2)] == [1, 2, 1, 3, 1, 2]
    assert made == [1, 2, 3, 2] and len(cache) == 2
    assert len(copy.deepcopy(cache)) == 0


def test_what_fails_is_not_kept():
    model = tss.explainable(classifier(), "IntegratedGradients", None)
    for _ in range(2):
        with pytest.raises(ValueError, match="baseline must be"):
            model.explain(photos(), baseline={1, 2})
    assert model.explain(photos(), num_steps=2).maps.shape == (3, *SIZE)
