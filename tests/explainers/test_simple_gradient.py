import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.explainers.networks import (
    CLASSES,
    SIZE,
    classifier,
    linear_model,
    photos,
    relative_error,
    twin,
)
from tests.reference import explainers as reference


@pytest.fixture(scope="module")
def model():
    return classifier()


@pytest.fixture(scope="module")
def pixel_maps(model):
    return tss.SimpleGradient(model)(photos())["maps"].numpy()


def grid_labels(size):
    rows, columns = np.arange(SIZE[0]) // size, np.arange(SIZE[1]) // size
    return rows[:, None] * 100 + columns


@pytest.mark.parametrize("superpixels", [None, tss.SquareGrid(size=3)])
def test_maps_equal_the_backward_pass_by_hand(model, superpixels):
    images, targets = photos(), [4, 0, 2]
    out = tss.SimpleGradient(model, superpixels=superpixels)(images, targets)
    labels = None if superpixels is None else grid_labels(3)
    expected = [
        reference.simple_gradient(twin(model), image, target, labels)
        for image, target in zip(images, targets)
    ]
    assert relative_error(out["maps"], expected).max() < 1e-5


def test_the_gradient_of_a_linear_model_is_its_weights():
    weights = np.random.default_rng(0).standard_normal((4, 3, 2, 3))
    explainer = tss.SimpleGradient(linear_model(weights), score="logit")
    images = np.random.default_rng(1).standard_normal((3, 4, 3, 2))
    maps = explainer(images, targets=[0, 1, 2])["maps"].numpy()
    np.testing.assert_allclose(maps, np.moveaxis(weights, -1, 0), rtol=1e-6)


def test_each_pixel_its_own_group_is_the_pixel_map(model, pixel_maps):
    own = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[:2])
    out = tss.SimpleGradient(model)(photos(), segments=own)
    np.testing.assert_array_equal(out["maps"], pixel_maps)


def test_one_group_is_the_mean_of_each_channel(model, pixel_maps):
    out = tss.SimpleGradient(model)(photos(), segments=np.zeros(SIZE[:2], int))
    mean = np.float64(pixel_maps).mean(axis=(1, 2), keepdims=True)
    assert relative_error(
        out["maps"], np.broadcast_to(mean, pixel_maps.shape)
    ).max() < (1e-6)


def test_the_numbering_of_segments_does_not_matter(model):
    explainer = tss.SimpleGradient(model)
    labels = np.random.default_rng(0).integers(0, 9, (3, *SIZE[:2]))
    new_names = np.random.default_rng(1).permutation(9) * 1000
    one = explainer(photos(), segments=labels)
    other = explainer(photos(), segments=new_names[labels].astype("int64"))
    np.testing.assert_array_equal(one["maps"], other["maps"])
    np.testing.assert_array_equal(one["segments"], other["segments"])


def test_one_partition_for_all_equals_its_copies(model):
    explainer = tss.SimpleGradient(model)
    labels = grid_labels(4)
    one = explainer(photos(), segments=labels)
    copies = explainer(photos(), segments=np.stack([labels] * 3))
    layer = tss.SimpleGradient(model, tss.SquareGrid(size=4))(photos())
    for key in one:
        np.testing.assert_array_equal(one[key], copies[key])
        np.testing.assert_array_equal(one[key], layer[key])


def test_segments_of_the_caller_replace_the_superpixels(model):
    labels = grid_labels(5)
    with_layer = tss.SimpleGradient(model, tss.SquareGrid(size=2))
    out = with_layer(photos(), segments=labels)
    expected = tss.SimpleGradient(model)(photos(), segments=labels)
    np.testing.assert_array_equal(out["maps"], expected["maps"])
    np.testing.assert_array_equal(out["segments"], expected["segments"])


def test_probabilities_sum_to_one_so_gradients_sum_to_zero(model):
    # Each class by itself is right, so that all together cancel.
    explainer = tss.SimpleGradient(model)
    maps = [explainer(photos(), targets=c)["maps"].numpy() for c in range(CLASSES)]
    assert np.abs(sum(maps)).max() < 1e-5 * np.abs(maps).max(axis=(1, 2, 3, 4)).min()


def test_static_and_dynamic_are_the_same(model):
    static = tss.SimpleGradient(model, tss.SquareGrid(size=3), partition="static")
    dynamic = tss.SimpleGradient(model, tss.SquareGrid(size=3), partition="dynamic")
    np.testing.assert_array_equal(static(photos())["maps"], dynamic(photos())["maps"])
    with pytest.raises(ValueError, match="partition"):
        tss.SimpleGradient(model, partition="sometimes")
