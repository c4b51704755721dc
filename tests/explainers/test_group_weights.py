"""weights="sqrt" in the explainers: every method's map, saved, exported and told."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import classifier, photos, relative_error
from tests.reference import groups as reference
from tf_superpixel_saliency.explainers.settings import settings

GRID = tss.SquareGrid(size=4)
METHODS = {
    "SimpleGradient": {},
    "SmoothGrad": {"num_samples": 3},
    "SparsifiedSmoothGrad": {"num_samples": 3},
    "IntegratedGradients": {"num_steps": 3},
}


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.fixture(scope="module")
def images():
    return photos(2)


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", METHODS)
def test_static_map_is_the_pixel_map_grouped(name, model, images):
    method = getattr(tss, name)
    rooted = method(model, GRID, weights="sqrt", **METHODS[name])(images)
    pixel = method(model, **METHODS[name])(images)
    expected = reference.weighted(
        pixel["maps"].numpy(), rooted["segments"].numpy(), "sqrt"
    )
    assert relative_error(rooted["maps"], expected).max() < 2e-5
    if name == "IntegratedGradients":
        # Σ map − (f(x) − f(x′)), of the map before it is grouped.
        np.testing.assert_allclose(
            rooted["completeness_error"], pixel["completeness_error"], atol=1e-7
        )
        lost = expected.sum((1, 2, 3)) - pixel["maps"].numpy().sum((1, 2, 3))
        assert np.abs(lost).min() > 10 * pixel["completeness_error"].numpy().max()


def test_dynamic_integrated_gradients(model, images):
    # Squares don't depend on the image: dynamic and static partitions are the same.
    made = {
        partition: tss.IntegratedGradients(
            model, GRID, num_steps=3, partition=partition, weights="sqrt"
        )(images)
        for partition in ("static", "dynamic")
    }
    for key in ("maps", "completeness_error"):
        np.testing.assert_allclose(
            made["dynamic"][key], made["static"][key], rtol=1e-4, atol=1e-7
        )


def test_sparsified_ranks_the_groups_by_their_weighted_gradient(model, images):
    explainer = tss.SparsifiedSmoothGrad(
        model, GRID, num_samples=1, noise_level=0.0, order="sparsify_last",
        top_fraction=0.3, weights="sqrt",
    )  # fmt: skip
    out = explainer(images)
    gradient = tss.SimpleGradient(model)(images)["maps"].numpy()
    size = np.abs(reference.weighted(gradient, out["segments"].numpy(), "sqrt"))
    for kept, ranked in zip(out["maps"].numpy(), size):
        assert set(np.unique(kept)) == {0, 1}
        assert ranked[kept == 1].min() > ranked[kept == 0].max()


def test_saved_exported_and_told(model, images, tmp_path):
    explainer = tss.SimpleGradient(model, GRID, weights="sqrt")
    maps = explainer(images)["maps"]
    assert settings(explainer)["weights"] == "sqrt"
    explainer.save(tmp_path / "explainer.keras")
    loaded = keras.saving.load_model(tmp_path / "explainer.keras")
    assert loaded.group_weights == "sqrt"
    np.testing.assert_array_equal(loaded(images)["maps"], maps)
    explainer.export(tmp_path / "saved")
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["explain_maps"]
    out = served(images=tf.constant(images), targets=tf.constant([-1, -1]))
    np.testing.assert_allclose(out["maps"], maps, rtol=1e-5, atol=1e-9)
    explanation = tss.explainable(model).explain(
        images, method="SimpleGradient", superpixels=GRID, weights="sqrt"
    )
    np.testing.assert_array_equal(explanation.maps, maps)
    assert explanation.settings["weights"] == "sqrt"


def test_what_has_no_weights(model):
    for method in (tss.LIME, tss.XRAI):
        with pytest.raises(ValueError, match=r'weights must be "mean", but got'):
            method(model, GRID, weights="sqrt")
    with pytest.raises(ValueError, match=r"weights must be one of"):
        tss.SimpleGradient(model, GRID, weights="root")
