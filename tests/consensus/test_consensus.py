"""Consensus on linear networks, whose maps are known, and on small real ones."""

import keras
import numpy as np
import pytest
from scipy import stats

import tf_superpixel_saliency as tss
from tests.explainers.networks import classifier, photos

SIZE = (8, 8, 1)
LEFT = np.repeat([0, 1], 4)[None].repeat(8, axis=0)


def linear(coefficients):
    """A classifier of two classes whose logit 1 has these coefficients."""
    model = keras.Sequential(
        [keras.Input(SIZE), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    kernel = np.stack([np.zeros(64), np.ravel(coefficients)], axis=1)
    model.set_weights([kernel, np.zeros(2)])
    return model


def planted(number, signal, noise, seed=0):
    random = np.random.default_rng(seed)
    return [linear(signal + noise * random.normal(size=(8, 8))) for _ in range(number)]


def test_linear_networks_with_a_signal_in_one_half():
    signal = np.where(LEFT == 0, 1.0, 0.0)
    models = planted(4, signal, 1.0)
    consensus = tss.Consensus(
        models, method="SimpleGradient", score="logit", normalized=False,
        superpixels=[tss.SquareGrid(size=4), tss.SquareGrid(size=2)],
        data=["all"] * 4, initialisation=range(4),
    )  # fmt: skip
    found = consensus(np.zeros((1, *SIZE)), targets=1)
    kernels = np.stack([m.get_weights()[0][:, 1].reshape(8, 8) for m in models])
    squares = found.segments[0]
    for square in range(4):
        inside = squares == square
        means = kernels[:, inside].mean(axis=1)
        test = stats.ttest_1samp(means, 0)
        np.testing.assert_allclose(found.mean[0][inside], means.mean(), rtol=1e-5)
        np.testing.assert_allclose(
            found.standard_error[0][inside], stats.sem(means), rtol=1e-5
        )
        share = np.mean(np.sign(means) == np.sign(means.mean()))
        np.testing.assert_allclose(found.sign_agreement[0][inside], share)
        assert (found.adjusted[0][inside] >= test.pvalue * (1 - 1e-5)).all()
    left = found.significant[0, ..., 0][LEFT == 0]
    assert left.all() and not found.significant[0, ..., 0][LEFT == 1].any()
    np.testing.assert_allclose(
        found.trusted[0], np.where(LEFT == 0, found.heatmaps[0], 0)
    )
    variance = {name: value[0] for name, value in found.variance.items()}
    grouped = np.stack([tss.group_map(k[None], squares)[0] for k in kernels])
    expected = grouped.var(axis=0, ddof=1).mean()
    assert variance["networks"] == pytest.approx(expected, rel=1e-5)
    assert variance["initialisation"] == pytest.approx(expected, rel=1e-5)
    assert variance["noise"] == 0 and np.isnan(variance["data"])
    assert np.isfinite(variance["segmentation"])
    assert not found.mean.flags.writeable


def test_normalised_networks_count_alike_and_weights_scale():
    # One network is a hundred times as steep: by itself it would be the mean.
    models = [linear(np.ones((8, 8))), linear(-100 * np.ones((8, 8)))]
    settings = {"method": "SimpleGradient", "score": "logit"}
    grid = tss.SquareGrid(size=4)
    found = tss.Consensus(models, grid, **settings)(np.zeros((1, *SIZE)), 1)
    np.testing.assert_allclose(found.mean, 0, atol=1e-6)
    raw = tss.Consensus(models, grid, normalized=False, **settings)
    np.testing.assert_allclose(raw(np.zeros((1, *SIZE)), 1).mean, -49.5, rtol=1e-5)
    rooted = tss.Consensus(models, grid, normalized=False, weights="sqrt", **settings)
    np.testing.assert_allclose(
        rooted(np.zeros((1, *SIZE)), 1).mean, 4 * -49.5, rtol=1e-5
    )


def test_choice_by_pairs_of_networks():
    # A signal constant in 2×2 squares and noise above it: pixels, halves are worse.
    signal = np.random.default_rng(1).choice([-1.0, 1.0], (4, 4)).repeat(2, 0)
    models = planted(3, signal.repeat(2, 1), 1.5, seed=2)
    layers = [tss.SquareGrid(size=8), tss.SquareGrid(size=2), tss.SquareGrid(size=4)]
    consensus = tss.Consensus(
        models, tss.SuperpixelChoice(layers), method="SimpleGradient", score="logit"
    )
    found = consensus(np.zeros((2, *SIZE)), targets=1)
    assert found.chosen.tolist() == [1, 1]
    assert found.segments[0].max() == 15
    # Networks without noise: pixels are the last candidate.
    same = tss.Consensus(
        [models[0], models[0]], tss.SuperpixelChoice(layers),
        method="SimpleGradient", score="logit",
    )(np.zeros((1, *SIZE)), targets=1)  # fmt: skip
    assert same.chosen.tolist() == [3] and same.segments[0].max() == 63


@pytest.mark.thorough
def test_noise_of_real_networks_and_the_picture():
    models = [classifier(seed=seed) for seed in (0, 10)]
    consensus = tss.Consensus(models, tss.SquareGrid(size=4), num_samples=2, seed=5)
    images = photos(2)
    found = consensus(images)
    grid = tss.SquareGrid(size=4)(images).numpy()
    made = consensus._explainers
    assert [[one.seed for one in draws] for draws in made] == [[5, 6], [7, 8]]
    maps = np.array(
        [[one(images, found.targets)["maps"] for one in draws] for draws in made]
    )
    size = np.sqrt(np.square(maps).sum((3, 4, 5), keepdims=True).mean(1, keepdims=True))
    maps = np.stack(
        [[tss.group_map(one, grid) for one in draws] for draws in maps / size]
    )
    np.testing.assert_allclose(found.mean, maps.mean((0, 1)), rtol=1e-3, atol=1e-6)
    noise = maps.var(axis=1, ddof=1).mean((0, 2, 3, 4))
    np.testing.assert_allclose(found.variance["noise"], noise, rtol=1e-3)
    shares = found.shares()
    total = sum(shares[name] for name in ("signal", "networks", "noise"))
    np.testing.assert_allclose(total, 1, rtol=1e-6)
    outputs = np.stack([m(images).numpy() for m in models])
    np.testing.assert_array_equal(found.targets, outputs.mean(0).argmax(-1))
    np.testing.assert_array_equal(found.predicted, outputs.argmax(-1))
    axes = found.plot(1, figure=tss.plots.new_figure())
    assert len(axes) == 6
    own = consensus(images, segments=np.zeros((12, 11), int))
    assert not own.segments.any() and len(own) == 2


@pytest.mark.parametrize(
    "arguments, settings, error",
    [
        (1, {}, "at least two networks"),
        (2, {"method": "LIME"}, "pixel by pixel"),
        (2, {"method": 3}, "method must be a name"),
        (2, {"superpixels": "squares"}, '"auto" or None, but got'),
        (2, {"data": ["a"]}, "data must have one label"),
        (2, {"level": 0}, "level must be a number"),
        (2, {"num_draws": 0}, "num_draws must be at least 1"),
    ],
)
def test_errors(arguments, settings, error):
    with pytest.raises((ValueError, TypeError), match=error):
        tss.Consensus([linear(np.ones(64))] * arguments, **settings)
