"""The interpretation loss and Propositions 1 and 2."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference import theory as reference
from tf_superpixel_saliency.metrics import theory

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(4, 6, 5, 3)).astype(np.float32)
OTHERS = [RNG.normal(size=MAPS.shape).astype(np.float32) for _ in range(3)]
SEGMENTS = RNG.integers(0, 7, MAPS.shape[:3])


@pytest.mark.parametrize("count", [1, 3])
def test_the_loss_equals_the_twin(count):
    found = theory.interpretation_loss(MAPS, OTHERS[:count])
    expected = [
        reference.loss(MAPS[i], [other[i] for other in OTHERS[:count]])
        for i in range(len(MAPS))
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_references_may_be_an_array_a_list_or_one_network():
    many = theory.interpretation_loss(MAPS, OTHERS)
    np.testing.assert_array_equal(
        theory.interpretation_loss(MAPS, np.array(OTHERS)), many
    )
    np.testing.assert_array_equal(theory.interpretation_loss(MAPS, tuple(OTHERS)), many)
    one = theory.interpretation_loss(MAPS, OTHERS[0])
    np.testing.assert_array_equal(theory.interpretation_loss(MAPS, OTHERS[:1]), one)
    heatmaps = [np.abs(other).sum(-1) for other in OTHERS]
    found = theory.interpretation_loss(heatmaps[0], heatmaps[1:])
    expected = theory.interpretation_loss(
        heatmaps[0][..., None], [heat[..., None] for heat in heatmaps[1:]]
    )
    np.testing.assert_array_equal(found, expected)


def test_the_loss_by_hand():
    """(3, 4) away from the mean of two references; not squared."""
    maps = np.array([[[[4.0, 5.0]]]])
    references = [np.array([[[[0.0, 0.0]]]]), np.array([[[[2.0, 2.0]]]])]
    np.testing.assert_allclose(theory.interpretation_loss(maps, references), [5.0])


def test_equal_maps_lose_nothing():
    np.testing.assert_array_equal(theory.interpretation_loss(MAPS, MAPS), np.zeros(4))
    gap = theory.interpretation_loss_gap(MAPS, MAPS, SEGMENTS)
    for values in gap[:4]:
        np.testing.assert_array_equal(values, np.zeros(4))
    assert gap.bound_holds.all()


def test_the_normalised_loss_knows_no_scale():
    found = theory.interpretation_loss(MAPS, OTHERS, normalized=True)
    scaled = theory.interpretation_loss(
        7 * MAPS, [3 * other for other in OTHERS], normalized=True
    )
    np.testing.assert_allclose(found, scaled, rtol=1e-6)
    zero = theory.interpretation_loss(0 * MAPS, OTHERS, normalized=True)
    assert np.isnan(zero).all()


def test_both_sides_equal_their_twins_and_each_other():
    found = theory.interpretation_loss_gap(MAPS, OTHERS, SEGMENTS)
    mean = np.mean(np.float64(OTHERS), axis=0)
    for i in range(len(MAPS)):
        loss = reference.loss(MAPS[i], [mean[i]])
        grouped = reference.loss(
            reference.grouped(MAPS[i], SEGMENTS[i]),
            [reference.grouped(mean[i], SEGMENTS[i])],
        )
        right = reference.group_variance(MAPS[i], mean[i], SEGMENTS[i])
        assert found.loss[i] == pytest.approx(loss, rel=1e-10)
        assert found.grouped_loss[i] == pytest.approx(grouped, rel=1e-10)
        assert found.gap[i] == pytest.approx(loss**2 - grouped**2, rel=1e-10)
        assert found.variance[i] == pytest.approx(right, rel=1e-10)
    np.testing.assert_allclose(found.gap, found.variance, rtol=1e-10)
    assert found.bound_holds.all()
    assert found.bound_holds.dtype == bool


def test_the_gap_by_hand():
    """n = (1, 3 | 5): the mean of the first group takes 2·Var = 2 of 35."""
    maps = np.array([1.0, 3.0, 5.0]).reshape(1, 1, 3, 1)
    found = theory.interpretation_loss_gap(maps, 0 * maps, [[4, 4, 9]])
    np.testing.assert_allclose(found.loss, [np.sqrt(35)])
    np.testing.assert_allclose(found.grouped_loss, [np.sqrt(33)])
    np.testing.assert_allclose(found.gap, [2])
    np.testing.assert_allclose(found.variance, [2])


def test_the_extremes_of_a_partition():
    own = np.arange(30).reshape(6, 5)
    pixels = theory.interpretation_loss_gap(MAPS, OTHERS, own)
    np.testing.assert_allclose(pixels.grouped_loss, pixels.loss)
    np.testing.assert_allclose(pixels.variance, 0, atol=1e-12)
    one = theory.interpretation_loss_gap(MAPS, OTHERS, np.zeros((6, 5), int))
    n = MAPS - np.mean(np.float64(OTHERS), axis=0)
    mean = n.mean(axis=(1, 2))
    np.testing.assert_allclose(one.grouped_loss, np.sqrt(30 * (mean**2).sum(-1)))


def test_a_wrong_grouping_would_be_seen():
    """The sides part where the grouped maps don't come from these segments."""
    found = theory.interpretation_loss_gap(MAPS, OTHERS, SEGMENTS)
    other = theory.interpretation_loss_gap(MAPS, OTHERS, SEGMENTS[:, ::-1])
    assert np.abs(found.gap - other.variance).min() > 1e-3


def test_maps_that_are_not_finite_have_no_loss():
    maps = MAPS.copy()
    maps[1, 0, 0, 0] = np.nan
    found = theory.interpretation_loss_gap(maps, OTHERS, SEGMENTS)
    assert np.isnan(np.stack(found[:4])).any(axis=0).tolist() == [False, True] + 2 * [
        False
    ]
    assert found.bound_holds.tolist() == [True, False, True, True]
    assert np.isnan(theory.interpretation_loss(maps, OTHERS)[1])


@pytest.mark.parametrize(
    ("references", "text"),
    [
        ([], "at least one network"),
        ([MAPS, MAPS[:2]], "one shape"),
        (MAPS[:, :3], "one shape"),
        ([np.zeros(3)], "each network's reference_maps"),
    ],
)
def test_bad_references(references, text):
    with pytest.raises(ValueError, match=text):
        theory.interpretation_loss(MAPS, references)
