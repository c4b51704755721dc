"""The order of pixels against a sort by hand, and the ties that most of it is."""

import numpy as np
import pytest

from tests.reference import fidelity as reference
from tf_superpixel_saliency.metrics.ranking import (
    pixel_orders,
    pixel_scores,
    random_arrangements,
)

SHAPE = (2, 5, 7, 3)
# Small whole numbers: sums are exact, and many are the same.
TIED = np.random.default_rng(0).integers(-2, 3, SHAPE).astype(np.float32)
SEGMENTS = np.random.default_rng(1).integers(0, 6, SHAPE[:3])


def orders(maps, shape=SHAPE, **arguments):
    return list(pixel_orders(maps, shape, **arguments))


@pytest.mark.parametrize("rank", ["absolute", "signed", "scaled"])
def test_scores_equal_the_twin(rank):
    found = pixel_scores(TIED, SHAPE, rank, SEGMENTS)
    expected = [reference.scores(*one) for one in zip(TIED, [rank] * 2, SEGMENTS)]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_scores_by_hand():
    maps = np.array([[[[3.0, -5.0]], [[1.0, 1.0]], [[1.0, 1.0]], [[1.0, 1.0]]]])
    shape = (1, 4, 1, 2)
    assert pixel_scores(maps, shape).ravel().tolist() == [8, 2, 2, 2]
    assert pixel_scores(maps, shape, "signed").ravel().tolist() == [-2, 2, 2, 2]
    scaled = pixel_scores(maps, shape, "scaled", [[0], [4], [4], [4]])
    np.testing.assert_allclose(scaled.ravel(), [8] + [2 * 3**0.5] * 3)
    assert pixel_scores(maps[..., 1], shape).ravel().tolist() == [5, 1, 1, 1]


@pytest.mark.parametrize("unit", [1, 2, 100])  # cells whose means are exact
@pytest.mark.parametrize("rank", ["absolute", "signed"])
def test_orders_equal_the_twin(unit, rank):
    cells = -(-5 // unit) * -(-7 // unit)
    found = orders(TIED, rank=rank, unit=unit, seed=3, num_seeds=4)
    for image_orders, image_map in zip(found, TIED):
        scores = reference.scores(image_map, rank)
        arrangements = random_arrangements(cells, 4, 3)
        arrangements = arrangements[: len(image_orders)]
        for order, arrangement in zip(image_orders, arrangements):
            key = np.argsort(arrangement)
            expected = reference.order(scores, unit, key)
            assert [(p // 7, p % 7) for p in order.tolist()] == expected


def test_raster_and_map_ties_equal_the_twin():
    raster = orders(TIED, ties="raster")
    breaking = np.random.default_rng(5).normal(size=SHAPE)
    by_map = orders(TIED, ties="map", tie_maps=breaking)
    for number in range(2):
        scores = reference.scores(TIED[number], "absolute")
        assert raster[number].shape == by_map[number].shape == (1, 35)
        found = [(p // 7, p % 7) for p in raster[number][0].tolist()]
        assert found == reference.order(scores, 1, range(35))
        key = -np.abs(breaking[number]).sum(axis=-1).ravel()
        found = [(p // 7, p % 7) for p in by_map[number][0].tolist()]
        assert found == reference.order(scores, 1, key)


def test_the_tie_map_keeps_its_sign_where_the_rank_does():
    flat = np.zeros((1, 1, 3, 1))
    breaking = np.array([[[[-5.0], [1.0], [2.0]]]])
    for rank, expected in (("absolute", [0, 2, 1]), ("signed", [2, 1, 0])):
        found = orders(flat, flat.shape, rank=rank, ties="map", tie_maps=breaking)
        assert found[0].tolist() == [expected]


def test_without_ties_there_is_one_order_and_every_rule_gives_it():
    maps = np.random.default_rng(2).permutation(70).reshape(2, 5, 7)
    expected = np.argsort(-maps.reshape(2, -1), axis=1)
    for arguments in ({}, {"ties": "raster"}, {"ties": "map", "tie_maps": maps}):
        found = orders(maps, **arguments)
        assert [order.tolist() for order in found] == expected[:, None].tolist()


def test_random_ties_depend_on_the_seed_and_the_size_alone():
    flat = np.ones(SHAPE)
    first, second = orders(flat, seed=7)
    np.testing.assert_array_equal(first, second)
    assert len({tuple(order) for order in first}) == 5
    np.testing.assert_array_equal(orders(flat[:1], (1, 5, 7, 3), seed=7)[0], first)
    assert (orders(flat, seed=8)[0] != first).any()
    # More seeds add orders and change none.
    np.testing.assert_array_equal(orders(flat, seed=7, num_seeds=9)[0][:5], first)


def test_random_ties_are_uniform():
    flat = np.zeros((1, 2, 2, 1))
    found = orders(flat, flat.shape, num_seeds=2000)[0]
    places = np.stack([np.bincount(found[:, place]) for place in range(4)])
    assert (np.abs(places - 500) < 5 * np.sqrt(2000 * 0.25 * 0.75)).all()


def test_groups_stay_ties_inside_cells_of_any_size():
    # Nine times 0.1 in a sum, over nine, is not 0.1: at the edges cells have fewer.
    maps = np.full((1, 10, 10, 1), 0.1)
    maps[:, :, 6:] = 0.7
    order = orders(maps, maps.shape, unit=3, ties="raster")[0][0]
    cells = list(dict.fromkeys((p // 10 // 3, p % 10 // 3) for p in order.tolist()))
    right, left = (
        [(i, j) for i in range(4) for j in pair] for pair in ((2, 3), (0, 1))
    )
    assert cells == right + left


def test_each_order_is_a_permutation():
    for unit in (1, 2, 4):
        for order in np.concatenate(orders(TIED, unit=unit)):
            assert sorted(order.tolist()) == list(range(35))


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"maps": TIED[:1]}, ValueError, "maps must have shape"),
        ({"maps": TIED * np.nan}, ValueError, "number 0 holds NaN"),
        ({"maps": np.full(SHAPE, "a")}, TypeError, "maps must be real numbers"),
        ({"rank": "scaled"}, ValueError, "needs segments="),
        ({"rank": "best"}, ValueError, "rank must be one of"),
        ({"ties": "map"}, ValueError, "needs tie_maps="),
        ({"ties": "sorted"}, ValueError, "ties must be one of"),
        ({"unit": 0}, ValueError, "unit must be at least 1"),
        ({"num_seeds": 0}, ValueError, "num_seeds must be at least 1"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(arguments, error, text):
    with pytest.raises(error, match=text):
        pixel_orders(**{"maps": TIED, "images_shape": SHAPE, **arguments})
