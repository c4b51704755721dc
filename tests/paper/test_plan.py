"""Which network sees which images."""

import numpy as np
import pytest

from tf_superpixel_saliency.paper.plan import pair_networks, plan_networks

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(4), 30))


def counts(indices, labels=LABELS):
    return np.bincount(labels[indices], minlength=labels.max() + 1).tolist()


@pytest.fixture(scope="module")
def plans():
    return plan_networks(LABELS, num_repeats=3)


def ending(repeat):
    return "" if repeat == 1 else f"_{repeat}"


@pytest.mark.parametrize("repeat", [1, 2, 3])
def test_halves_are_disjoint_with_equal_class_counts(plans, repeat):
    a, b = (plans[f"split_{half}{ending(repeat)}"].indices for half in "ab")
    assert not set(a) & set(b)
    assert sorted([*a, *b]) == list(range(120))
    assert counts(a) == counts(b) == [15] * 4


@pytest.mark.parametrize("repeat", [1, 2, 3])
def test_two_halves_times_two_initialisations(plans, repeat):
    a, b, other, same = (
        plans[f"{name}{ending(repeat)}"]
        for name in ("split_a", "split_b", "split_a_other_init", "split_b_same_init")
    )
    np.testing.assert_array_equal(a.indices, other.indices)
    np.testing.assert_array_equal(b.indices, same.indices)
    assert a.init_seed == same.init_seed != b.init_seed == other.init_seed
    assert len({plan.order_seed for plan in (a, b, other, same)}) == 1


def test_repeats_share_no_seed_and_no_half(plans):
    seeds = [{plans[f"split_{h}{ending(r)}"].init_seed for h in "ab"} for r in (1, 2)]
    assert not seeds[0] & seeds[1]
    assert plans["split_a"].order_seed != plans["split_a_2"].order_seed
    assert not np.array_equal(plans["split_a"].indices, plans["split_a_2"].indices)


def test_folds_leave_out_disjoint_stratified_fifths(plans):
    left_out = []
    for fold in range(5):
        indices = plans[f"fold_{fold}"].indices
        assert counts(indices) == [24] * 4
        left_out.extend(set(range(120)) - set(indices))
    assert sorted(left_out) == list(range(120))
    assert len({plans[f"fold_{k}"].init_seed for k in range(5)}) == 5


def test_every_row_has_network_disjoint_pairs(plans):
    rows = pair_networks(
        {name: plan.indices for name, plan in plans.items()},
        {name: plan.init_seed for name, plan in plans.items()},
    )
    assert set(rows) == {"other_data", "other_init", "both"}
    for pairs in rows.values():
        assert len(pairs) == 6  # two a repeat
        names = [name for pair in pairs for name in pair]
        assert len(set(names)) == len(names)
    assert ("split_a", "split_b") in rows["both"]
    assert ("split_a", "split_a_other_init") in rows["other_init"]


def test_pairs_are_read_from_indices_and_seeds():
    indices = {"p": [3, 1], "q": [1, 3], "r": [0, 2], "s": [2, 3], "t": [1, 3]}
    seeds = {"p": 1, "q": 2, "r": 1, "s": 9, "t": 1}
    assert pair_networks(indices, seeds) == {
        "other_data": [("p", "r"), ("r", "t")],
        "other_init": [("p", "q"), ("q", "t")],
        "both": [("q", "r")],
    }


def test_the_same_arguments_give_the_same_plan(plans):
    again = plan_networks(LABELS, num_repeats=3)
    assert list(again) == list(plans)
    for name, plan in plans.items():
        np.testing.assert_array_equal(again[name].indices, plan.indices)
        assert again[name][1:] == plan[1:]


def test_fewer_repeats_are_the_first_of_more(plans):
    for name, plan in plan_networks(LABELS, num_repeats=1).items():
        np.testing.assert_array_equal(plan.indices, plans[name].indices)


def test_another_seed_gives_another_plan(plans):
    other = plan_networks(LABELS, num_repeats=3, seed=1)
    assert not {p.init_seed for p in plans.values()} & {
        p.init_seed for p in other.values()
    }
    assert not np.array_equal(plans["split_a"].indices, other["split_a"].indices)


def test_a_limit_keeps_the_balance_and_its_images():
    plans = plan_networks(LABELS, num_repeats=1, limit=43)
    a, b = plans["split_a"].indices, plans["split_b"].indices
    assert counts(a) == counts(b) == [5] * 4
    every = set(a) | set(b)
    assert len(every) == 40
    assert set().union(*(plans[f"fold_{k}"].indices for k in range(5))) == every


def test_uneven_classes_are_halved_each():
    labels = np.repeat([0, 1, 2], [7, 11, 20])
    plans = plan_networks(labels, num_repeats=1)
    a, b = plans["split_a"].indices, plans["split_b"].indices
    assert counts(a, labels) == counts(b, labels) == [3, 5, 10]
    sizes = [38 - len(plans[f"fold_{k}"].indices) for k in range(5)]
    assert sorted(sizes) == [7, 7, 8, 8, 8]


@pytest.mark.parametrize(
    ("labels", "arguments", "error", "text"),
    [
        (np.zeros((4, 2), int), {}, ValueError, r"shape \(N,\)"),
        (np.zeros(9), {}, TypeError, "integers"),
        (
            [0, 0, 0, 0, 0, 1, 1],
            {},
            ValueError,
            "at least 5 images.*one has 2 of the 7",
        ),
        (LABELS, {"limit": 19}, ValueError, "one has 4 of the 16.*raise limit"),
        (LABELS, {"num_repeats": 0}, ValueError, "num_repeats"),
    ],
)
def test_bad_arguments(labels, arguments, error, text):
    with pytest.raises(error, match=text):
        plan_networks(labels, **arguments)
