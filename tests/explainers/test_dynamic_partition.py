import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, classifier, photos, relative_error
from tests.explainers.partitions import Brightness

METHODS = [tss.SmoothGrad, tss.SparsifiedSmoothGrad, tss.IntegratedGradients]


@pytest.fixture(scope="module")
def model():
    return classifier()


def build(method, model, superpixels, **kwargs):
    count = "num_steps" if method is tss.IntegratedGradients else "num_samples"
    return method(model, superpixels, partition="dynamic", **{count: 5}, **kwargs)


@pytest.mark.cases(1)
@pytest.mark.parametrize("method", METHODS)
def test_a_partition_that_ignores_the_image_is_the_static_one(method, model):
    dynamic = build(method, model, tss.SquareGrid(size=4))(photos())
    count = "num_steps" if method is tss.IntegratedGradients else "num_samples"
    static = method(model, tss.SquareGrid(size=4), **{count: 5})(photos())
    assert relative_error(dynamic["maps"], static["maps"]).max() < 1e-5
    assert dynamic["num_groups"].numpy().tolist() == [9.0] * 3
    assert "num_groups" not in static


@pytest.mark.cases(1)
@pytest.mark.parametrize("method", METHODS)
def test_the_segments_are_those_of_the_clean_image(method, model):
    out = build(method, model, Brightness())(photos())
    np.testing.assert_array_equal(out["segments"], Brightness()(photos()))


def test_points_outside_of_the_value_range_are_clipped_before_they_are_segmented(
    model,
):
    # Noise takes brightness below 0 and above 255, where there are no groups: on a
    # black and white image all but the two end levels come from noise inside.
    images = np.zeros((1, *SIZE), "float32")
    images[:, :6] = 255
    out = build(
        tss.SmoothGrad, model, Brightness(levels=1), noise_level=0.02, dynamic_sigma=0
    )(images)
    assert out["num_groups"].numpy() <= 2.0


@pytest.mark.thorough
def test_smoothing_lowers_the_number_of_groups(model):
    counts = [
        build(tss.SmoothGrad, model, tss.Quickshift(), dynamic_sigma=sigma)(photos())[
            "num_groups"
        ].numpy()
        for sigma in (0.0, 1.0, 3.0)
    ]
    assert (counts[0] > counts[1]).all() and (counts[1] > counts[2]).all()


@pytest.mark.parametrize("method", METHODS)
def test_it_needs_superpixels(method, model):
    with pytest.raises(ValueError, match="needs superpixels"):
        method(model, partition="dynamic")


@pytest.mark.parametrize("method", METHODS)
def test_it_refuses_segments(method, model):
    dynamic = build(method, model, tss.SquareGrid(size=4))
    segments = np.zeros(SIZE[:2], int)
    with pytest.raises(ValueError, match="segments"):
        dynamic(photos(), segments=segments)
    with pytest.raises(ValueError, match="segments"):
        dynamic({"images": photos(), "segments": segments})
    with pytest.raises(ValueError, match="segments"):
        dynamic.predict(photos(), segments=segments, verbose=0)
