"""IntegratedGradients that knows its error: told, asked for, and out of reach."""

import functools

import numpy as np
import pytest

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
        out = explainer(tolerance=1e-4, num_steps=40)(photos(2))
    assert (out["status"].numpy() == 32).all()
    assert (out["num_steps"].numpy() == 40).all()
    fixed = explainer(num_steps=40)(photos(2))
    scale = np.abs(fixed["maps"]).max()
    np.testing.assert_allclose(out["maps"], fixed["maps"], atol=1e-5 * scale)


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
