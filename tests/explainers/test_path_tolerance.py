"""IntegratedGradients that knows its error: told, asked for, and out of reach."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import classifier, photos


@functools.cache
def model():
    return classifier()


def explainer(layer=None, **kwargs):
    layer = tss.SquareGrid(size=3) if layer is None else layer
    return tss.IntegratedGradients(model(), layer, **kwargs)


@functools.cache
def exact():
    fine = explainer(num_steps=4096, quadrature="midpoint", chunk_size=512)
    return fine(photos(4))["maps"].numpy()


def errors(out):
    square = np.square(out["maps"] - exact()).sum((1, 2, 3))
    return np.sqrt(square / np.square(exact()).sum((1, 2, 3)))


@pytest.mark.cases(1)
@pytest.mark.parametrize("num_steps", [20, 60])
def test_the_error_told_is_the_error_made(num_steps):
    out = explainer(num_steps=num_steps)(photos(4))
    ratio = out["relative_error"] / errors(out)
    assert 0.6 < np.exp(np.mean(np.log(ratio))) < 1.6
    assert ratio.numpy().max() < 4 and ratio.numpy().min() > 0.25


@pytest.mark.cases(1)
@pytest.mark.parametrize("tolerance", [0.02, 0.004])
@pytest.mark.parametrize("chunk_size", [5, 32])
def test_a_tolerance_is_reached_and_not_by_far(tolerance, chunk_size):
    out = explainer(tolerance=tolerance, chunk_size=chunk_size)(photos(4))
    assert (out["relative_error"].numpy() <= tolerance).all()
    assert (errors(out) < 1.7 * tolerance).all()
    assert np.median(errors(out)) > tolerance / 4
    assert len(set(out["num_steps"].numpy())) > 1
    assert not out["status"].numpy().any()


@pytest.mark.thorough
def test_halving_all_parts_goes_on_where_the_first_plan_falls_short(monkeypatch):
    from tf_superpixel_saliency.explainers import path_tolerance

    monkeypatch.setattr(path_tolerance, "_SAFETY", 3.0)
    planned = explainer(tolerance=0.02)(photos(4))
    assert (planned["relative_error"].numpy() <= 0.02).all()
    assert (errors(planned) < 1.7 * 0.02).all()
    monkeypatch.undo()
    direct = explainer(tolerance=0.02)(photos(4))
    assert (planned["num_steps"].numpy() > direct["num_steps"].numpy() / 2).all()


@pytest.mark.thorough
def test_a_tolerance_out_of_reach_is_told_and_all_steps_are_taken():
    with pytest.warns(UserWarning, match="not as accurate as `tolerance`"):
        out = explainer(tolerance=1e-4, num_steps=40)(photos(4)[:2])
    assert (out["status"].numpy() == 32).all()
    assert (out["num_steps"].numpy() == 40).all()
    fixed = explainer(num_steps=40)(photos(4)[:2])
    exact_maps = exact()[:2]
    size = np.square(exact_maps).sum()
    for found in (out, fixed):  # planned by 17 nodes, and by 25
        error = np.sqrt(np.square(found["maps"] - exact_maps).sum() / size)
        told = np.sqrt(np.mean(np.square(found["relative_error"])))
        assert 0.25 * told < error < 2 * told


@pytest.mark.thorough
def test_dynamic_partitions_have_a_tolerance_too():
    out = explainer(tss.SquareGrid(size=4), partition="dynamic", tolerance=0.02)(
        photos(2)
    )
    static = explainer(tss.SquareGrid(size=4), tolerance=0.02)(photos(2))
    scale = np.abs(static["maps"]).max()
    np.testing.assert_allclose(out["maps"], static["maps"], atol=1e-5 * scale)
    np.testing.assert_array_equal(out["num_steps"], static["num_steps"])
    np.testing.assert_array_equal(out["num_groups"], [9, 9])


@pytest.mark.thorough
def test_a_map_of_zeros_is_as_accurate_as_asked():
    same = photos(1)
    with pytest.warns(UserWarning, match="0 everywhere"):
        out = explainer(baseline=same[0], tolerance=0.01)(same)
    assert out["relative_error"].numpy() == 0
    assert out["status"].numpy() == 4


@pytest.mark.parametrize("kwargs", [{"num_steps": 40}, {"tolerance": 0.05}])
def test_a_peak_between_the_first_nodes_is_found(kwargs):
    """A slow rise of the score, and a steep one within a fiftieth of the path, where
    the maps at the first nodes are all alike: only the score tells of it.
    """
    rng = np.random.default_rng(8)
    weights = rng.normal(size=(12, 11, 3)).astype(np.float32)
    image = rng.uniform(100, 255, (1, 12, 11, 3)).astype(np.float32)
    direction = weights / (weights * image).sum()

    def along(images):  # 0 … 1 on the path
        return tf.reduce_sum(direction * images, [1, 2, 3])[:, None]

    def score(places, targets):
        del targets
        steep = tf.sigmoid(500.0 * (places[:, 0] - 0.594))
        return steep + 0.5 * tf.sigmoid(20.0 * (places[:, 0] - 0.2))

    def explained(**kwargs):
        explainer = tss.IntegratedGradients(along, layer, score=score, **kwargs)
        return explainer(image, [0])

    layer = tss.SquareGrid(size=3)
    # The gradient has one direction: its integral is that times the score's change.
    ends = score(tf.constant([[0.0], [1.0]]), None).numpy()
    expected = (ends[1] - ends[0]) * direction[None] * image
    expected = tss.group_map(expected, layer(image).numpy())
    size = np.sqrt(np.square(expected).sum())

    def error(out):
        return np.sqrt(np.square(out["maps"] - expected).sum()) / size

    out = explained(**kwargs)
    assert error(out) < 0.06
    assert error(out) / 3 < out["relative_error"].numpy()[0] < 0.2
    assert error(explained(num_steps=17, quadrature="trapezoid")) > 0.5


def test_a_path_that_preprocessing_bends_is_judged_by_its_maps_alone():
    """Standardised pictures: the score stays, whatever maps on the way add up to."""

    def standardised(pictures):
        return tf.image.per_image_standardization(pictures + 1.0)

    out = tss.IntegratedGradients(
        model(), tss.SquareGrid(size=3), num_steps=60, preprocess=standardised
    )(photos(2))
    assert (out["relative_error"].numpy() < 0.2).all()
    assert (out["completeness_error"].numpy() > 0).all()
