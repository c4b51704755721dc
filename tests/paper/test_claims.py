"""Verdicts on tables whose answer is known."""

import numpy as np
import pytest

from tf_superpixel_saliency.metrics.verdicts import (
    CANNOT_BE_TOLD,
    DOES_NOT_HOLD,
    HOLDS,
    NOT_WORSE,
)
from tf_superpixel_saliency.paper import (
    claims_of_fidelity,
    claims_of_stability,
    claims_of_theory,
)
from tf_superpixel_saliency.paper.road import BY_RANK


def row(partition, error, low, high):
    return {
        "maps": "as they are",
        "partition": partition,
        "error": error,
        "error low": low,
        "error high": high,
    }


@pytest.mark.parametrize(
    "own, verdict",
    [
        ((0.1, 0.05, 0.15), claims_of_theory.NOT_CONTRADICTED),
        ((0.5, 0.45, 0.55), DOES_NOT_HOLD),
        ((0.2, 0.1, 0.26), CANNOT_BE_TOLD),
        ((0.35, 0.34, 0.36), CANNOT_BE_TOLD),
    ],
)
def test_a_generalisation_error_falls_where_intervals_are_apart(own, verdict):
    rows = [
        row("pixel", 0.3, 0.25, 0.35),
        row("super-pixel", *own),
        row("random", 0.1, 0.1, 0.1),
    ]
    ((maps, figure, chance, found),) = claims_of_theory.definition(rows)
    assert found == verdict
    assert (maps, chance) == ("as they are", "random groups 1.00e-01")
    assert figure.startswith("3.00e-01 → ")


@pytest.mark.parametrize(
    "low, high, verdict",
    [(-0.05, -0.01, HOLDS), (0.01, 0.05, DOES_NOT_HOLD), (-0.05, 0.01, CANNOT_BE_TOLD)],
)
def test_roar_holds_where_accuracy_falls_below_the_pixels(low, high, verdict):
    key = "less pixels'"
    rows = [
        {"removed first": "super-pixel", "mean": 0.4, key: (low + high) / 2}
        | {f"{key} low": low, f"{key} high": high},
        {"removed first": "super-pixel, masks alone", "mean": 0.25},
        {"removed first": "square", key: -0.03, f"{key} low": -0.04}
        | {f"{key} high": -0.02},
    ]
    ((case, figure, chance, found),) = claims_of_fidelity.roar(rows)
    assert found == verdict
    control = "squares -0.030 [-0.040, -0.020]; accuracy from masks alone 0.250"
    assert (case, chance) == ("SimpleGradient", control)
    assert figure.endswith(f"[{low:+.3f}, {high:+.3f}]")


@pytest.mark.parametrize(
    "measure, low, high, p_value, versus_pixels, versus_squares",
    [
        ("Insertion, blur ↑", 0.5, 1.5, 0.01, HOLDS, HOLDS),
        ("Insertion, blur ↑", 0.5, 1.5, 0.2, NOT_WORSE, CANNOT_BE_TOLD),
        ("Insertion, blur ↑", -1.5, 0.5, 0.2, NOT_WORSE, CANNOT_BE_TOLD),
        ("Insertion, blur ↑", -2.5, 0.5, 0.2, CANNOT_BE_TOLD, CANNOT_BE_TOLD),
        ("Insertion, blur ↑", -2.5, -0.5, 0.01, DOES_NOT_HOLD, DOES_NOT_HOLD),
        ("Insertion, blur ↑", -2.5, -0.5, 0.2, CANNOT_BE_TOLD, CANNOT_BE_TOLD),
        # Two points are the margin here too: less is better.
        ("Deletion, dataset mean ↓", -1.5, -0.5, 0.01, HOLDS, HOLDS),
        ("Deletion, dataset mean ↓", 0.5, 2.5, 0.01, DOES_NOT_HOLD, DOES_NOT_HOLD),
    ],
)
def test_fidelity_is_not_worse_within_two_points_of_pixels(
    measure, low, high, p_value, versus_pixels, versus_squares
):
    row = {"measure": measure, "method": "SmoothGrad", "difference": (low + high) / 2}
    row |= {"difference low": low, "difference high": high, "p after Holm": p_value}
    rows = [row | {"super-pixel less": other} for other in ("pixel", "square")]
    rows.append(row | {"super-pixel less": "pixel", "measure": "another"})
    for other, word in (("pixel", versus_pixels), ("square", versus_squares)):
        ((case, figure, _, found),) = claims_of_fidelity.fidelity(other)(rows)
        assert (case, found) == (f"{measure}, SmoothGrad", word)
        assert figure.endswith(f"[{low:+.1f}, {high:+.1f}] points")


def mege_row(partition, low, high):
    names = {"method": "SmoothGrad", "distance": "L2", "partition": partition}
    return names | {"MeGe": (low + high) / 2, "MeGe low": low, "MeGe high": high}


def mege_difference(less, better, distance="L2"):
    row = {"method": "SmoothGrad", "distance": distance, "less": less}
    ends = {
        "distance less": -0.2,
        "distance less low": -0.3,
        "distance less high": -0.1,
    }
    return row | ends | {"better": better}


@pytest.mark.parametrize("verdict", [HOLDS, CANNOT_BE_TOLD, DOES_NOT_HOLD])
def test_mege_has_to_lie_above_that_of_random_groups_too(verdict):
    rows = [
        mege_row("pixel", 0.4, 0.5),
        mege_row("super-pixel", 0.6, 0.65),
        mege_row("random", 0.5, 0.6),
    ]
    differences = [
        mege_difference("pixel", HOLDS),
        mege_difference("random", verdict),
        mege_difference("square", DOES_NOT_HOLD),
        mege_difference("random", DOES_NOT_HOLD, "normalised L2"),
    ]
    ((case, figure, chance, found),) = claims_of_stability.mege(rows, differences)
    assert found == verdict
    assert case == "SmoothGrad, L2"
    assert figure == "0.450 [0.400, 0.500] → 0.625 [0.600, 0.650]"
    assert chance == "random groups 0.550 [0.500, 0.600]"


def test_mege_of_regions_is_judged_at_norm_1_alone():
    rows = [
        mege_difference("LIME", HOLDS, "normalised L2"),
        mege_difference("LIME", DOES_NOT_HOLD),
        mege_difference("pixel", DOES_NOT_HOLD, "normalised L2"),
    ]
    ((case, figure, _, found),) = claims_of_stability.mege_of_regions(rows)
    assert case == "SmoothGrad against LIME, normalised L2"
    assert (figure, found) == ("distance -0.200 [-0.300, -0.100]", HOLDS)


def region_row(name, less, low, high, better):
    row = {"map": name, "less": less, "difference": (low + high) / 2}
    ends = {"difference low": low, "difference high": high}
    return row | ends | {"better": better}


def test_methods_of_regions_are_judged_by_paired_differences():
    rows = [
        region_row("SmoothGrad, super-pixel", "LIME", 0.1, 0.3, HOLDS),
        region_row("SmoothGrad, super-pixel", "RISE", 0.1, 0.3, HOLDS),
        region_row("SmoothGrad, pixel", "LIME", -0.3, -0.1, DOES_NOT_HOLD),
    ]
    ((case, figure, chance, found),) = claims_of_stability.regions(rows)
    assert (case, chance, found) == ("SmoothGrad against LIME", 0.0, HOLDS)
    assert figure == "+0.200 [+0.100, +0.300]"


@pytest.mark.parametrize(
    "low, high, verdict",
    [(-0.3, -0.1, HOLDS), (0.1, 0.3, DOES_NOT_HOLD), (-0.1, 0.3, CANNOT_BE_TOLD)],
)
def test_grad_cam_is_the_other_way_round(low, high, verdict):
    rows = [
        region_row("SimpleGradient, pixel", "GradCAM", low, high, ""),
        region_row("SimpleGradient, super-pixel", "GradCAM", 0.1, 0.3, HOLDS),
    ]
    ((case, figure, _, found),) = claims_of_stability.grad_cam(rows)
    assert (case, found) == ("GradCAM less SimpleGradient", verdict)
    assert figure.endswith(f"[{-high:+.3f}, {-low:+.3f}]")


def ssim(low, high):
    return {"SSIM": (low + high) / 2, "SSIM low": low, "SSIM high": high}


def test_what_is_observed_is_judged_by_the_paired_difference():
    """The two intervals overlap, as those of the same images may."""
    names = {"networks": "both", "method": "SmoothGrad"}
    chance = {"SSIM by chance": 0.1}
    rows = [
        names | chance | {"partition": "pixel"} | ssim(0.28, 0.32),
        names | chance | {"partition": "super-pixel"} | ssim(0.31, 0.37),
    ]
    difference = names | {"measure": "SSIM, observed", "better": HOLDS}
    others = [
        difference | {"super-pixel less": "pixel"},
        difference | {"super-pixel less": "square", "better": DOES_NOT_HOLD},
        difference
        | {"super-pixel less": "pixel", "better": DOES_NOT_HOLD}
        | {"measure": "SSIM, excess"},
    ]
    ((case, figure, by_chance, found),) = claims_of_stability.observed(rows, others)
    assert found == f"{HOLDS}, as observed"
    assert case == "both, SmoothGrad"
    assert figure == "0.300 [0.280, 0.320] → 0.340 [0.310, 0.370]"
    assert by_chance == "0.100 → 0.100"


def independence_row(pixels, groups, low, high, partition="super-pixel"):
    key = "|S|·mean²/mean of squares"
    row = {"data": "photos", "partition": partition, "pixels a group": pixels}
    row |= {"groups": groups, key: (low + high) / 2}
    return row | {f"{key} low": low, f"{key} high": high}


@pytest.mark.parametrize(
    "low, high, verdict",
    [
        (1.0, 1.4, HOLDS),
        (1.8, 2.2, CANNOT_BE_TOLD),
        (2.3, 2.5, DOES_NOT_HOLD),
        (0.1, 0.3, DOES_NOT_HOLD),
    ],
)
def test_independence_is_judged_by_the_groups_there_are(low, high, verdict):
    rows = [
        independence_row("1–1", 1000, 1.0, 1.0),
        independence_row("16–31", 900, low, high),
        independence_row("512–1023", 0, 50.0, 60.0),
        independence_row("32–63", 3, np.nan, np.nan),
        independence_row("16–31", 900, 9.0, 9.0, "square"),
    ]
    ((data, _, chance, found),) = claims_of_theory.independence(rows)
    assert (data, chance, found) == ("photos", 1.0, verdict)


def test_independence_is_weighed_by_number():
    rows = [independence_row("2–3", 300, 0.9, 1.1), independence_row("4–7", 100, 4, 6)]
    ((_, figure, _, found),) = claims_of_theory.independence(rows)
    assert figure == "2.00 [1.68, 2.33] times that of independent noise"
    assert found == CANNOT_BE_TOLD


def size_row(measure, partition, less, low, high, better):
    row = {"measure": measure, "method": "SmoothGrad", "partition": partition}
    row |= {"less": less, "difference": (low + high) / 2, "better": better}
    row["p after Holm"] = 0.01
    return row | {"difference low": low, "difference high": high}


@pytest.mark.parametrize(
    "mu, verdict",
    [(NOT_WORSE, HOLDS), (DOES_NOT_HOLD, DOES_NOT_HOLD), (CANNOT_BE_TOLD,) * 2],
)
def test_small_groups_have_to_be_stable_and_faithful(mu, verdict):
    rows = [
        size_row("SSIM, excess", "max_dist 3", "pixel", 0.1, 0.2, HOLDS),
        size_row("μFidelity", "max_dist 3", "pixel", -0.01, 0.02, mu),
        size_row("SSIM, excess", "max_dist 2", "pixel", -0.2, -0.1, DOES_NOT_HOLD),
    ]
    ((case, figure, _, found),) = claims_of_fidelity.small_groups(rows)
    assert (case, found) == ("SmoothGrad", verdict)
    assert figure == (
        "SSIM excess +0.150 [+0.100, +0.200], μFidelity +0.005 [-0.010, +0.020]"
    )


@pytest.mark.parametrize(
    "excess, mu, verdict",
    [
        ((-0.3, -0.1), (-0.2, -0.1), HOLDS),
        ((-0.3, -0.1), (-0.2, 0.1), CANNOT_BE_TOLD),
        ((0.1, 0.2), (-0.2, -0.1), DOES_NOT_HOLD),
    ],
)
def test_large_groups_have_to_damage_both(excess, mu, verdict):
    rows = [
        size_row("SSIM, excess", "max_dist 8", "max_dist 3", *excess, ""),
        size_row("μFidelity", "max_dist 8", "max_dist 3", *mu, ""),
        size_row("μFidelity", "max_dist 8", "pixel", 0.1, 0.2, ""),
    ]
    ((_, _, _, found),) = claims_of_fidelity.large_groups(rows)
    assert found == verdict


def distance_row(name, energy, distance, wide=0.0):
    row = {"map": name, "remaining energy": energy, "relative distance": distance}
    ends = distance - wide, distance + wide
    return row | dict(zip(("relative distance low", "relative distance high"), ends))


@pytest.mark.parametrize(
    "apart, wide, verdict",
    [
        (0.05, 0.01, f"{HOLDS}, for any partition"),
        (0.05, 0.06, CANNOT_BE_TOLD),
        (0.2, 0.05, DOES_NOT_HOLD),
        (-0.2, 0.05, DOES_NOT_HOLD),
    ],
)
def test_distances_are_compared_where_as_much_energy_remains(apart, wide, verdict):
    rows = [
        distance_row("super-pixel, 9 groups", 0.1, 0.5 + apart),
        distance_row("super-pixel, 2 groups", 0.0001, 5.0),
        # Half-way between the two on the logarithm of the energy: 0.5.
        distance_row("SmoothGrad, noise 0.1", 1.0, 0.2, wide),
        distance_row("SmoothGrad, noise 0.2", 0.01, 0.8, wide),
    ]
    ((_, figure, _, found),) = claims_of_fidelity.moved(rows)
    assert found == verdict
    assert figure == f"at equal energy at most {abs(apart):.3f} of ‖m₀‖ apart"
    ((_, _, _, found),) = claims_of_fidelity.moved(rows[1:])
    assert found == CANNOT_BE_TOLD


@pytest.mark.parametrize(
    "low, high, verdict",
    [(-0.1, 0.05, HOLDS), (0.12, 0.2, DOES_NOT_HOLD), (0.05, 0.2, CANNOT_BE_TOLD)],
)
def test_the_last_layer_tells_what_is_left(low, high, verdict):
    def layer(name, partition, low, high):
        row = {"method": "SmoothGrad", "partition": partition, "randomised": name}
        row |= {"SSIM by chance": 0.05, "SSIM excess": (low + high) / 2}
        return row | {"SSIM excess low": low, "SSIM excess high": high}

    rows = [
        layer("predictions", "super-pixel", 0.5, 0.6),
        layer("conv2d", "pixel", 0.0, 0.0),
        layer("conv2d", "super-pixel", low, high),
    ]
    ((case, _, chance, found),) = claims_of_stability.sanity(rows)
    assert (case, chance, found) == ("SmoothGrad", 0.05, verdict)


@pytest.mark.parametrize("p_value, verdict", [(0.01, HOLDS), (0.06, CANNOT_BE_TOLD)])
def test_a_dynamic_partition_is_judged_after_holm(p_value, verdict):
    key = "less static's"
    row = {"data": "photos", "method": "SmoothGrad", "partition": "dynamic"}
    row |= {key: 0.2, f"{key} low": 0.1, f"{key} high": 0.3, "p after Holm": p_value}
    others = [row | {"partition": name} for name in ("pixel", "static")]
    ((case, figure, _, found),) = claims_of_theory.dynamic([*others, row])
    assert (case, found) == ("photos, SmoothGrad", verdict)
    assert figure == "+0.200 [+0.100, +0.300]"


@pytest.mark.parametrize(
    "order, low, high, p_value, verdict",
    [
        ("most relevant first ↓", -0.07, -0.01, 0.01, HOLDS),
        ("most relevant first ↓", -0.07, -0.01, 0.06, CANNOT_BE_TOLD),
        ("most relevant first ↓", 0.01, 0.07, 0.01, DOES_NOT_HOLD),
        ("least relevant first ↑", 0.01, 0.07, 0.01, HOLDS),
        ("least relevant first ↑", -0.07, -0.01, 0.01, DOES_NOT_HOLD),
        ("least relevant first ↑", -0.01, 0.07, 0.01, CANNOT_BE_TOLD),
    ],
)
def test_road_has_to_fall_faster_or_slower_by_the_order(
    order, low, high, p_value, verdict
):
    key = "less pixels'"
    row = {"method": "SmoothGrad", "order": order, key: (low + high) / 2}
    row |= {f"{key} low": low, f"{key} high": high, "p after Holm": p_value}
    square = row | {"partition": "square", key: 0.02}
    rows = [square, row | {"partition": "pixel"}, row | {"partition": "super-pixel"}]
    by_rank = [one | {"order": BY_RANK} for one in rows]
    ((case, _, control, found),) = claims_of_fidelity.road([*rows, *by_rank])
    assert (case, found) == (f"SmoothGrad, {order[:-2]}", verdict)
    assert control.startswith("squares +0.020")


@pytest.mark.parametrize(
    "low, high, p_value, verdict",
    [
        (0.01, 0.07, 0.01, HOLDS),
        (-0.07, -0.01, 0.01, DOES_NOT_HOLD),
        (0.01, 0.07, 0.06, CANNOT_BE_TOLD),
    ],
)
def test_road_by_rank_is_a_wider_gap_between_the_orders(low, high, p_value, verdict):
    key = "less pixels'"
    row = {"method": "SmoothGrad", "order": BY_RANK, key: (low + high) / 2}
    row |= {f"{key} low": low, f"{key} high": high, "p after Holm": p_value}
    rows = [row | {"partition": name} for name in ("pixel", "super-pixel", "square")]
    other = [one | {"order": "most relevant first ↓"} for one in rows]
    ((_, _, _, found),) = claims_of_fidelity.road_by_rank([*other, *rows])
    assert found == verdict
    with pytest.raises(KeyError, match="least less most"):
        claims_of_fidelity.road_by_rank(other)
