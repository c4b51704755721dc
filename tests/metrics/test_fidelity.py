"""Deletion and Insertion against slow twins and curves in closed form."""

import numpy as np
import pytest

from tests.metrics.predictors import Additive, softmax_network
from tests.reference import fidelity as reference
from tf_superpixel_saliency.metrics.fidelity import (
    deletion,
    insertion,
    perturbation_curve,
)
from tf_superpixel_saliency.metrics.fills import fill_images
from tf_superpixel_saliency.metrics.ranking import pixel_orders, random_arrangements

SHAPE = (2, 5, 6, 3)
RNG = np.random.default_rng(0)
IMAGES = RNG.random(SHAPE).astype(np.float32)
TIED = RNG.integers(-2, 3, SHAPE).astype(np.float32)
NETWORK = softmax_network(SHAPE[1:])
SEGMENTS = RNG.integers(0, 5, SHAPE[:3])


def twin(metric, fills, rank, unit, step, arrangements, targets):
    """(areas, curves, fractions): the mean over one order for each arrangement."""
    curves = np.zeros((2, 0))
    for number in range(2):
        ends = (IMAGES[number], fills[number])
        start, end = ends if metric is deletion else ends[::-1]
        values = reference.scores(TIED[number], rank, SEGMENTS[number])
        parts = []
        for arrangement in arrangements:
            pixels = reference.order(values, unit, np.argsort(arrangement))
            part, fractions = reference.curve(
                NETWORK, start, end, pixels, targets[number], step
            )
            parts.append(part)
        curves = np.resize(curves, (2, len(fractions)))
        curves[number] = np.mean(parts, axis=0)
    areas = [reference.area(curve, fractions) for curve in curves]
    return areas, curves, fractions


@pytest.mark.parametrize("metric", [deletion, insertion])
@pytest.mark.parametrize("fill", ["mean", "black", "blur"])
@pytest.mark.parametrize(
    "rank, unit, step, ties",
    [
        ("absolute", 1, 4, "random"),
        ("signed", 1, 7, "random"),
        ("scaled", 1, 30, "raster"),
        ("absolute", 2, 1, "raster"),
        ("signed", 2, 5, "random"),
    ],
)
def test_equals_the_twin(metric, fill, rank, unit, step, ties):
    found = metric(
        NETWORK,
        IMAGES,
        TIED,
        [1, 3],
        fill=fill,
        rank=rank,
        unit=unit,
        pixels_per_step=step,
        ties=ties,
        segments=SEGMENTS,
        num_seeds=3,
        seed=5,
        batch_size=16,
    )
    units = -(-5 // unit) * -(-6 // unit)
    arrangements = random_arrangements(units, 3, 5)
    if ties == "raster":
        arrangements = [np.arange(units)]
    fills = fill_images(IMAGES, fill)
    expected = twin(metric, fills, rank, unit, step, arrangements, [1, 3])
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def linear_case(values):
    """An additive class on one row of pixels, black fill: areas in closed form."""
    weights = np.asarray(values, np.float64).reshape(1, -1, 1)
    return Additive(weights), np.ones((1, *weights.shape)), weights[None]


def test_deletion_of_a_linear_class_in_closed_form():
    predict, images, truth = linear_case([4, 1, 3, 2])
    found = deletion(predict, images, truth, [1], fill="black", pixels_per_step=1)
    np.testing.assert_allclose(found.curves, [[10, 6, 3, 1, 0]])
    np.testing.assert_allclose(found.fractions, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.areas, [(5 + 6 + 3 + 1 + 0) / 4])
    found = insertion(predict, images, truth, [1], fill="black", pixels_per_step=1)
    np.testing.assert_allclose(found.curves, [[0, 4, 7, 9, 10]])
    np.testing.assert_allclose(found.areas, [(4 + 7 + 9 + 5) / 4])


def test_the_last_step_may_be_short():
    predict, images, truth = linear_case([4, 1, 3, 2])
    found = deletion(predict, images, truth, [1], fill="black", pixels_per_step=3)
    np.testing.assert_allclose(found.curves, [[10, 1, 0]])
    np.testing.assert_allclose(found.fractions, [0, 0.75, 1])
    np.testing.assert_allclose(found.areas, [0.75 * 5.5 + 0.25 * 0.5])
    whole = deletion(predict, images, truth, [1], fill="black", pixels_per_step=99)
    np.testing.assert_allclose(whole.curves, [[10, 0]])


def test_no_order_is_better_than_the_truth_and_none_worse_than_its_negative():
    weights = np.random.default_rng(1).normal(size=(4, 5, 1))
    predict, images = Additive(weights), np.ones((1, 4, 5, 1))
    arguments = {"rank": "signed", "pixels_per_step": 1, "fill": "black"}

    def areas(metric, maps):
        return metric(predict, images, maps[None], [1], **arguments).areas[0]

    others = np.random.default_rng(2).normal(size=(50, 4, 5, 1))
    deleted = [areas(deletion, other) for other in others]
    assert areas(deletion, weights) < min(deleted)
    assert areas(deletion, -weights) > max(deleted)
    inserted = [areas(insertion, other) for other in others]
    assert areas(insertion, weights) > max(inserted)
    assert areas(insertion, -weights) < min(inserted)


def test_a_constant_map_is_a_random_order():
    # Each pixel is as likely to be gone at any time: the mean curve is a straight line.
    predict, images, truth = linear_case(np.arange(1.0, 21))
    found = deletion(
        predict,
        images,
        np.ones_like(truth),
        [1],
        fill="black",
        pixels_per_step=1,
        num_seeds=400,
    )
    line = 210 * (1 - found.fractions)
    # The sum of k of 20 pixels deviates by at most 13; the mean of 400 by 13 / 20.
    np.testing.assert_allclose(found.curves[0], line, atol=4 * 13 / 20)
    assert np.ptp(found.curves[0] - line) > 0


def test_the_class_predicted_is_followed_where_none_is_given():
    predicted = NETWORK(IMAGES).argmax(axis=1)
    for metric in (deletion, insertion):
        expected = metric(NETWORK, IMAGES, TIED, predicted, pixels_per_step=9)
        found = metric(NETWORK, IMAGES, TIED, pixels_per_step=9)
        np.testing.assert_array_equal(found.curves, expected.curves)


def test_curves_start_and_end_at_the_two_images():
    fills = fill_images(IMAGES, "blur")
    whole, none = (NETWORK(x)[[0, 1], [2, 0]] for x in (IMAGES, fills))
    for metric, ends in ((deletion, (whole, none)), (insertion, (none, whole))):
        curves = metric(NETWORK, IMAGES, TIED, [2, 0], fill="blur").curves
        np.testing.assert_allclose(curves[:, [0, -1]].T, ends, rtol=1e-12)


def test_images_batches_and_scale_do_not_matter():
    arguments = {"pixels_per_step": 4, "fill": [0.1, 0.2, 0.3]}
    expected = deletion(NETWORK, IMAGES, TIED, [1, 3], **arguments)
    for batch_size in (1, 7, 500):
        found = deletion(
            NETWORK, IMAGES, TIED * 8, [1, 3], batch_size=batch_size, **arguments
        )
        np.testing.assert_allclose(found.curves, expected.curves, atol=1e-14)
    for number, target in enumerate([1, 3]):
        part = slice(number, number + 1)
        alone = deletion(NETWORK, IMAGES[part], TIED[part], [target], **arguments)
        np.testing.assert_allclose(alone.curves, expected.curves[part], atol=1e-14)


def test_only_what_differs_between_orders_is_predicted():
    # Four groups of two pixels: steps of two end between the ties.
    maps = np.repeat([4.0, 3, 2, 1], 2).reshape(1, 1, 8, 1)
    images = np.arange(8.0).reshape(maps.shape)
    for step, rows in ((2, 5), (1, 9 + 4 * 4)):
        predict = Additive(maps[0])
        deletion(predict, images, maps, [1], pixels_per_step=step, batch_size=1)
        # At most: two of the five orders may put a tie the same way.
        assert predict.rows <= rows
        assert (predict.rows == 5) == (step == 2)


def test_batches_are_always_full():
    predict = Additive(np.ones(SHAPE[1:]))
    deletion(predict, IMAGES, TIED, None, pixels_per_step=7, batch_size=8)
    assert set(predict.shapes) == {(8, *SHAPE[1:])}


def test_orders_made_once_serve_several_fills():
    orders = list(pixel_orders(TIED, SHAPE, seed=2))
    fills = fill_images(IMAGES, "black")
    targets = np.array([1, 3])
    found = perturbation_curve(NETWORK, IMAGES, fills, orders, targets, 6)
    expected = deletion(
        NETWORK, IMAGES, TIED, targets, fill="black", seed=2, pixels_per_step=6
    )
    np.testing.assert_array_equal(found.areas, expected.areas)
    with pytest.raises(ValueError, match="indices of at least 0"):
        perturbation_curve(NETWORK, IMAGES, fills, orders, [1, -1])


def test_nothing_given_is_changed():
    images, maps = IMAGES.copy(), TIED.copy()
    for metric in (deletion, insertion):
        metric(NETWORK, images, maps, [0, 0], fill="black")
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(maps, TIED)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"targets": [0, 4]}, "from 0 to 3"),
        ({"targets": [0]}, "targets must have shape"),
        ({"pixels_per_step": 0}, "pixels_per_step must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"fill": "noise"}, "fill must be one of"),
        ({"maps": TIED[:, :4]}, "maps must have shape"),
    ],
)
def test_wrong_arguments(arguments, text):
    for metric in (deletion, insertion):
        with pytest.raises(ValueError, match=text):
            metric(
                NETWORK,
                IMAGES,
                **{"maps": TIED, "targets": [0, 0], **arguments},
            )
