"""ResNet-18 for small images."""

import zipfile

import keras
import numpy as np
import pytest

from tf_superpixel_saliency.paper.resnet import build_resnet18


@pytest.fixture(scope="module")
def narrow():
    return build_resnet18((8, 8, 3), 3, width=1 / 16, seed=4)


def test_full_width_has_the_known_number_of_weights():
    """The CIFAR variant: 3×3 stem, projections of 1×1, ten classes."""
    model = build_resnet18()
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert trainable == 11_173_962
    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 10)
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert len(convolutions) == 20  # 17 and three projections; with the last layer 18
    assert model.get_layer("pool").input.shape == (None, 4, 4, 512)


def test_width_scales_the_channels():
    model = build_resnet18(width=0.25)
    assert model.get_layer("pool").input.shape == (None, 4, 4, 128)


def test_it_ends_in_a_softmax(narrow):
    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3))
    probabilities = narrow(images).numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert narrow.layers[-1].activation is keras.activations.softmax


def test_scaling_is_inside(narrow):
    scale = keras.Model(narrow.input, narrow.get_layer("scale").output)
    images = np.array([0, 127.5, 255]).repeat(64).reshape(1, 3, 8, 8)
    np.testing.assert_allclose(
        scale(np.moveaxis(images, 1, -1)).numpy()[0, 0, 0], [-1, 0, 1], atol=1e-6
    )


def test_seeds_make_the_weights(narrow):
    again = build_resnet18((8, 8, 3), 3, width=1 / 16, seed=4)
    other = build_resnet18((8, 8, 3), 3, width=1 / 16, seed=5)
    drawn = [
        (a, b, c)
        for a, b, c in zip(
            narrow.get_weights(), again.get_weights(), other.get_weights()
        )
        if a.ndim > 1
    ]
    assert len(drawn) == 21
    for a, b, c in drawn:
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0.01
    # No two layers of one network draw the same numbers.
    flat = [tuple(a.ravel()[:3] / a.std()) for a, _, _ in drawn]
    assert len(set(flat)) == len(flat)


def test_weight_decay_is_half_the_square():
    plain = build_resnet18((8, 8, 3), 3, width=1 / 16, weight_decay=0)
    assert plain.losses == []
    model = build_resnet18((8, 8, 3), 3, width=1 / 16, weight_decay=0.5)
    kernels = [w for w in model.get_weights() if w.ndim > 1]
    expected = sum(0.25 * np.sum(w.astype(np.float64) ** 2) for w in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_it_is_saved_without_this_package(narrow, tmp_path):
    narrow.save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as file:
        assert b"tf_superpixel_saliency" not in file.read("config.json")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    images = np.random.default_rng(1).uniform(0, 255, (2, 8, 8, 3))
    np.testing.assert_array_equal(loaded(images), narrow(images))


def test_seeds_may_be_large():
    build_resnet18((8, 8, 3), 2, width=1 / 64, seed=10**12)


@pytest.mark.parametrize(
    "arguments", [{"width": 0}, {"num_classes": 1}, {"seed": -1}, {"seed": 0.5}]
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        build_resnet18(**arguments)
