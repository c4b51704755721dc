"""μFidelity against slow twins and models whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from tests.metrics.predictors import Additive, softmax_network
from tests.reference import mu_fidelity as reference
from tf_superpixel_saliency.metrics.fills import fill_images
from tf_superpixel_saliency.metrics.mu_fidelity import (
    correlate_drops,
    draw_subsets,
    mu_fidelity,
    subset_drops,
)

SHAPE = (2, 7, 10, 3)  # cells of unequal sizes for a grid of 4
RNG = np.random.default_rng(0)
IMAGES = RNG.random(SHAPE).astype(np.float32)
MAPS = RNG.normal(size=SHAPE).astype(np.float32)
NETWORK = softmax_network(SHAPE[1:])
SMALL = {"grid": 4, "num_subsets": 12, "seed": 3}


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("fill", ["mean", "black"])
def test_equals_the_twin(signed, fill):
    found = mu_fidelity(
        NETWORK,
        IMAGES,
        MAPS,
        [1, 3],
        fill=fill,
        importance="signed" if signed else "absolute",
        **SMALL,
    )
    subsets = draw_subsets(16, 0.2, 12, 3)
    fills = fill_images(IMAGES, fill)
    for number, target in enumerate([1, 3]):
        drops, importances = [], []
        for subset in subsets:
            pair = IMAGES[number], fills[number]
            drops.append(reference.drop(NETWORK, *pair, target, subset, 4))
            importances.append(reference.importance(MAPS[number], subset, 4, signed))
        for name in ("pearson", "spearman"):
            ours = getattr(found, name)[number]
            theirs = getattr(reference, name)(importances, drops)
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    assert not found.undefined.any()


def test_correlations_equal_those_of_scipy():
    drops = subset_drops(NETWORK, IMAGES, [1, 3], **SMALL)
    found = correlate_drops(drops, MAPS)
    heat = np.abs(MAPS.astype(float)).sum(axis=-1)
    for number in range(2):
        importances = [
            reference.importance(heat[number, ..., None], subset, 4, True)
            for subset in drops.subsets
        ]
        for name in ("pearson", "spearman"):
            theirs = getattr(stats, f"{name}r")(importances, drops.drops[number])
            np.testing.assert_allclose(getattr(found, name)[number], theirs.statistic)


def additive_case(side=12, seed=1):
    weights = np.random.default_rng(seed).normal(size=(side, side, 2))
    return Additive(weights), np.ones((1, side, side, 2)), weights[None]


def test_the_truth_of_an_additive_model_reaches_one():
    predict, images, truth = additive_case()
    arguments = {"grid": 4, "fill": "black", "importance": "signed"}
    for maps, expected in ((truth, 1), (7 * truth + 3, 1), (-truth, -1)):
        found = mu_fidelity(predict, images, maps, [1], **arguments)
        np.testing.assert_allclose(found.pearson, expected, rtol=1e-9)
        np.testing.assert_allclose(found.spearman, expected, rtol=1e-9)


def test_a_constant_map_counts_zero_and_is_told():
    # With subsets of random size it would reach some 0.7 here.
    weights = np.random.default_rng(2).random((13, 11, 1))
    predict, images = Additive(weights), np.ones((1, 13, 11, 1))
    for constant in (1.0, 0.1, 0.0, 1 / 3, 1e-20, 7e12):
        maps = np.full((1, 13, 11, 1), constant)
        found = mu_fidelity(predict, images, maps, [1], grid=9, fill="black")
        assert found.pearson.tolist() == found.spearman.tolist() == [0]
        assert found.undefined.tolist() == [True]


def test_a_model_that_never_changes_counts_zero_and_is_told():
    predict = Additive(np.zeros(SHAPE[1:]))
    found = mu_fidelity(predict, IMAGES, MAPS, [1, 1], **SMALL)
    assert found.pearson.tolist() == found.spearman.tolist() == [0, 0]
    assert found.undefined.all()


def test_random_positive_maps_average_to_zero():
    weights = np.random.default_rng(3).random((12, 12, 1))
    images = np.ones((1, 12, 12, 1))
    drops = subset_drops(Additive(weights), images, [1], grid=6, fill="black")
    rng = np.random.default_rng(4)
    values = [
        correlate_drops(drops, rng.random((1, 12, 12, 1))).pearson[0]
        for _ in range(100)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / 10
    assert np.std(values) > 0.05


def test_equal_importances_share_their_rank():
    # One cell matters to the map: importances take two values only.
    maps = np.zeros((1, 9, 9, 1))
    maps[0, 0, 0] = 0.1
    weights = np.random.default_rng(5).normal(size=(9, 9, 1))
    drops = subset_drops(Additive(weights), np.ones((1, 9, 9, 1)), [1], fill="black")
    found = correlate_drops(drops, maps)
    inside = drops.subsets[:, 0].astype(float)
    expected = stats.spearmanr(inside, drops.drops[0]).statistic
    np.testing.assert_allclose(found.spearman, [expected])


@pytest.mark.parametrize("grid, size", [(9, 16), (56, 627)])
def test_subsets_have_exactly_one_size(grid, size):
    subsets = draw_subsets(grid**2, 0.2, 200, 0)
    assert subsets.shape == (200, grid**2)
    assert (subsets.sum(axis=1) == size).all()
    # Each cell as often as any other, within five standard deviations.
    share = size / grid**2
    counts = subsets.sum(axis=0)
    assert (np.abs(counts - 200 * share) < 5 * (200 * share * (1 - share)) ** 0.5).all()
    assert len({tuple(subset) for subset in subsets}) == 200
    np.testing.assert_array_equal(subsets, draw_subsets(grid**2, 0.2, 200, 0))
    assert (subsets != draw_subsets(grid**2, 0.2, 200, 1)).any()


def test_drops_made_once_serve_several_maps():
    drops = subset_drops(NETWORK, IMAGES, [1, 3], **SMALL)
    for maps in (MAPS, np.abs(MAPS), MAPS[..., 0]):
        expected = mu_fidelity(NETWORK, IMAGES, maps, [1, 3], **SMALL)
        found = correlate_drops(drops, maps)
        for ours, theirs in zip(found, expected):
            np.testing.assert_array_equal(ours, theirs)


def test_batches_are_full_and_do_not_matter():
    expected = subset_drops(NETWORK, IMAGES, [1, 3], **SMALL).drops
    for batch_size in (1, 5, 100):
        found = subset_drops(NETWORK, IMAGES, [1, 3], batch_size=batch_size, **SMALL)
        np.testing.assert_allclose(found.drops, expected, atol=1e-14)
    predict = Additive(np.ones(SHAPE[1:]))
    subset_drops(predict, IMAGES, None, batch_size=8, **SMALL)
    assert set(predict.shapes) == {(8, *SHAPE[1:])}


def test_the_class_predicted_is_followed_where_none_is_given():
    predicted = NETWORK(IMAGES).argmax(axis=1)
    np.testing.assert_array_equal(
        subset_drops(NETWORK, IMAGES, **SMALL).drops,
        subset_drops(NETWORK, IMAGES, predicted, **SMALL).drops,
    )


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"grid": 8}, "grid must be at most the image's shorter side, 7"),
        ({"grid": 1}, "grid must be at least 2"),
        ({"subset_fraction": 0.001}, "a subset needs at least one cell"),
        ({"subset_fraction": 1.0}, "a subset needs at least one cell"),
        ({"num_subsets": 1}, "num_subsets must be at least 2"),
        ({"importance": "sum"}, "importance must be one of"),
        ({"fill": "noise"}, "fill must be one of"),
        ({"maps": MAPS[:1]}, "maps must have shape"),
        ({"targets": [0, 9]}, "from 0 to 3"),
    ],
)
def test_wrong_arguments(arguments, text):
    arguments = {"maps": MAPS, "targets": [0, 0], **SMALL, **arguments}
    with pytest.raises(ValueError, match=text):
        mu_fidelity(NETWORK, IMAGES, **arguments)
