"""The error that a sampled map tells of itself, and stopping by it."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, classifier, photos, twin
from tests.reference import explainers as reference

GRID = np.arange(SIZE[0])[:, None] // 3 * 10 + np.arange(SIZE[1])[None] // 3


@functools.cache
def model():
    return classifier()


def smooth_grad(**kwargs):
    settings = {"noise_level": 0.3, "seed": 3}
    return tss.SmoothGrad(model(), tss.SquareGrid(size=3), **{**settings, **kwargs})


@pytest.mark.cases(1)
@pytest.mark.parametrize("num_samples, antithetic", [(8, True), (9, True), (7, False)])
def test_it_is_the_spread_of_the_means_of_pairs(num_samples, antithetic):
    images = photos(2)
    out = smooth_grad(num_samples=num_samples, antithetic=antithetic)(images, [4, 0])
    for image, target, found in zip(images, [4, 0], out["standard_error"].numpy()):
        points = reference.noisy(image, 0.3, 3, num_samples, antithetic)
        maps = twin(model()).gradient(np.stack(points), [target] * num_samples)
        maps = np.stack([reference.grouped(one, GRID) for one in maps])
        pairs = [maps[i : i + 2] for i in range(0, num_samples, 2)]
        weights = np.array([len(pair) / 2 for pair in pairs])
        means = np.stack([pair.mean(0) for pair in pairs])
        scatter = np.tensordot(weights, (means - maps.mean(0)) ** 2, 1)
        expected = np.sqrt(scatter / (len(pairs) - 1) / weights.sum())
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-9)


@pytest.mark.parametrize("partition", ["static", "dynamic"])
def test_of_no_noise_it_is_zero_and_one_pair_does_not_know(partition):
    kwargs = {"partition": partition, "noise_level": 0}
    out = smooth_grad(num_samples=6, **kwargs)(photos(1))
    size = np.abs(out["maps"]).max()
    assert out["standard_error"].numpy().max() < 1e-6 * size
    np.testing.assert_allclose(out["relative_error"], 0, atol=1e-6)
    out = smooth_grad(num_samples=2, **kwargs)(photos(1))
    assert np.isnan(out["standard_error"]).all() and np.isnan(out["relative_error"])


@pytest.mark.thorough
def test_coverage_over_seeds_with_the_stopping_rule_on():
    images, targets = photos(3), [0, 1, 2]
    fine = smooth_grad(num_samples=20_000, seed=99, chunk_size=512)(images, targets)
    assert fine["relative_error"].numpy().max() < 0.015
    outs = [smooth_grad(tolerance=0.12, seed=s)(images, targets) for s in range(4)]
    taken = np.stack([out["num_samples"] for out in outs])
    assert (taken > 32).all() and (taken < 1000).all() and len(set(taken.flat)) > 1
    assert all((out["relative_error"].numpy() <= 0.12).all() for out in outs)

    # One pixel of each group: a group is right or not as a whole.
    error, told = (
        np.stack([out[key].numpy()[:, 1::3, 1::3] for out in outs])
        for key in ("maps", "standard_error")
    )
    exact = fine["maps"].numpy()[:, 1::3, 1::3]
    error = error - exact
    freedom = taken[..., None, None, None] / 2 - 1
    for level in (0.5, 0.9):
        limit = stats.t.ppf((1 + level) / 2, freedom)
        assert np.mean(np.abs(error) < limit * told) == pytest.approx(level, abs=0.06)
    # The error that was asked for is the one there is.
    axes = (-3, -2, -1)
    made = np.square(error).sum(axes) / np.square(exact).sum(axes)
    assert np.sqrt(made.mean()) == pytest.approx(0.115, abs=0.02)


@pytest.mark.cases(1)
@pytest.mark.parametrize("chunk_size", [2, 5, 64])
def test_where_it_stops_does_not_depend_on_the_chunks(chunk_size):
    wide = smooth_grad(tolerance=0.2)(photos(2))
    out = smooth_grad(tolerance=0.2, chunk_size=chunk_size)(photos(2))
    np.testing.assert_array_equal(out["num_samples"], wide["num_samples"])
    np.testing.assert_allclose(
        out["maps"], wide["maps"], atol=1e-5 * np.abs(wide["maps"]).max()
    )


def test_each_image_has_its_own_number_of_samples():
    images = photos(3)
    out = smooth_grad(tolerance=0.15)(images)
    alone = smooth_grad(tolerance=0.15)(images[1:2])
    assert len(set(out["num_samples"].numpy())) > 1
    assert out["num_samples"][1] == alone["num_samples"][0]
    np.testing.assert_array_equal(out["maps"][1], alone["maps"][0])


def test_a_tolerance_out_of_reach_is_told():
    explainer = smooth_grad(tolerance=1e-3, num_samples=41)
    with pytest.warns(UserWarning, match="not as accurate as `tolerance`"):
        out = explainer(photos(1))
    assert out["status"].numpy() == 32
    assert out["num_samples"].numpy() == 41
    assert np.isfinite(out["maps"]).all()
    fixed = smooth_grad(num_samples=41)(photos(1))
    np.testing.assert_allclose(
        out["maps"], fixed["maps"], atol=1e-5 * np.abs(fixed["maps"]).max()
    )


def test_a_gradient_of_nan_ends_the_search():
    def broken(images):
        total = tf.reduce_sum(images, [1, 2, 3])
        return tf.stack([total * np.nan, total], axis=1)

    explainer = tss.SmoothGrad(
        broken, tolerance=0.1, score="logit", model_output="logit"
    )
    with pytest.warns(UserWarning, match="NaN"):
        out = explainer(photos(1), targets=0)
    assert out["num_samples"].numpy() == 32


@pytest.mark.thorough
def test_sparsified_maps_have_one_too():
    def sparsified(**kwargs):
        return tss.SparsifiedSmoothGrad(
            model(), tss.SquareGrid(size=3), noise_level=0.3, **kwargs
        )

    out = sparsified(tolerance=0.1)(photos(1))
    more = sparsified(seed=5, num_samples=4000, chunk_size=256)(photos(1))
    error = (out["maps"] - more["maps"]).numpy()
    told = np.sqrt(np.square(out["standard_error"]).sum())
    assert 0.7 < np.sqrt(np.square(error).sum()) / told < 1.3


@pytest.mark.parametrize("tolerance", [0, -1, float("nan"), "small"])
def test_a_tolerance_that_makes_no_sense_is_refused(tolerance):
    with pytest.raises((ValueError, TypeError), match="tolerance"):
        smooth_grad(tolerance=tolerance)
