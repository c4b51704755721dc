from __future__ import annotations

import collections

import numpy as np
import pytest

from tf_superpixel_saliency import demo


@pytest.mark.parametrize(
    "index, name",
    [
        (0, "tench"),
        (207, "golden retriever"),
        (285, "Egyptian cat"),
        (340, "zebra"),
        (504, "coffee mug"),
        (657, "missile"),
        (717, "pickup"),
        (817, "sports car"),
        (967, "espresso"),
        (980, "volcano"),
        (999, "toilet tissue"),
    ],
)
def test_known_names(index, name):
    assert demo.class_name(index) == name
    assert demo.class_name(np.int64(index)) == name


def test_only_the_known_pairs_share_a_name():
    names = [demo.class_name(index) for index in range(1000)]
    assert all(name and name == name.strip() for name in names)
    counts = collections.Counter(names)
    assert {name for name, count in counts.items() if count > 1} == {
        "crane",
        "maillot",
    }
    assert names[134] == names[517] == "crane"
    assert names[638] == names[639] == "maillot"


@pytest.mark.parametrize("index", [-1, 1000])
def test_out_of_range(index):
    with pytest.raises(ValueError, match=rf"0…999, but got {index}"):
        demo.class_name(index)


@pytest.mark.parametrize("index", [1.0, "285", None])
def test_not_an_integer(index):
    with pytest.raises(TypeError, match="an integer, but got"):
        demo.class_name(index)
