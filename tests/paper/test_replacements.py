"""Pairs of training sets that differ in one image."""

import numpy as np
import pytest
import tensorflow as tf

from tests.paper.datasets import small_images
from tf_superpixel_saliency.paper import replacements
from tf_superpixel_saliency.paper.augmentation import epoch_batches

LABELS = np.zeros(50, int)


@pytest.fixture(scope="module")
def plans():
    return replacements.plan_replacements(LABELS, 4, 20)


def test_sets_differ_in_one_image_in_its_place(plans):
    for k in range(4):
        one, same, other = (
            plans[f"pair_{k}{ending}"] for ending in ("", "_same_seed", "_other_seed")
        )
        assert len(set(one.indices)) == len(set(same.indices)) == 20
        assert np.sum(one.indices != same.indices) == 1
        assert len(set(one.indices) & set(same.indices)) == 19
        np.testing.assert_array_equal(same.indices, other.indices)
        assert one[1:] == same[1:]
        assert len({*one[1:], *other[1:]}) == 4


def test_pairs_share_nothing(plans):
    seeds = [set(plans[f"pair_{k}"][1:]) for k in range(4)]
    assert len(set().union(*seeds)) == 8
    assert not np.array_equal(plans["pair_0"].indices, plans["pair_1"].indices)
    other = replacements.plan_replacements(LABELS, 4, 20, seed=1)
    assert not seeds[0] & {seed for plan in other.values() for seed in plan[1:]}


def test_the_same_seed_shows_the_same_batches_but_for_one_image(plans):
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (50, 4, 4, 3)))
    labels = tf.range(50)
    found = []
    for name in ("pair_2", "pair_2_same_seed"):
        data = epoch_batches(images, labels, plans[name], 0, 20)
        found.append([array.numpy() for array in next(iter(data))])
    (x, y), (v, w) = found
    assert np.sum(y != w) == 1
    np.testing.assert_array_equal(x[y == w], v[y == w])


def test_pairs_by_name(plans):
    found = replacements.replacement_pairs(plans)
    assert found["same_seed"][1] == ("pair_1", "pair_1_same_seed")
    assert [len(pairs) for pairs in found.values()] == [4, 4]
    some = ["pair_3", "pair_3_other_seed", "pair_2_same_seed"]
    assert replacements.replacement_pairs(some) == {
        "same_seed": [],
        "other_seed": [("pair_3", "pair_3_other_seed")],
    }


def test_all_are_trained(tmp_path, monkeypatch):
    trained = []

    def train(name, plan, data, folder, width, epochs, report):
        trained.append((name, folder, width, epochs))
        return {"name": name}

    monkeypatch.setattr(replacements, "train", train)
    found = replacements.train_replacements(small_images(), tmp_path, 2, 10, epochs=3)
    assert [entry["name"] for entry in found] == [name for name, *_ in trained]
    assert len(found) == 6
    assert trained[0] == ("pair_0", tmp_path, 0.125, 3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((4, 50), "50 of 50 images"), ((0, 5), "num_pairs"), ((1, 0), "num_images")],
)
def test_bad_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        replacements.plan_replacements(LABELS, *arguments)
