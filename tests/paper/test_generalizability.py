"""MeGe's images and records: the folds take turns, draws of a control are averaged."""

import types

import numpy as np
import pytest

from tf_superpixel_saliency.paper import generalizability
from tf_superpixel_saliency.paper.experiment import Setting

COUNT = 100


def setting(tmp_path, num_images):
    made = Setting(tmp_path, num_images=num_images, quiet=True)
    images = np.arange(COUNT * 4, dtype=np.uint8).reshape(COUNT, 2, 2, 1)
    labels = np.arange(COUNT) % 4
    made.__dict__["data"] = types.SimpleNamespace(
        train_images=images, train_labels=labels
    )
    seen = {
        f"fold_{k}": np.setdiff1d(np.arange(COUNT), np.arange(k, COUNT, 5))
        for k in range(5)
    }
    made.__dict__["trained"] = types.SimpleNamespace(train_indices=seen)
    return made


def test_a_larger_run_begins_with_a_smaller_ones_images(tmp_path):
    """Finished maps go by the numbers of their images."""
    few = generalizability._held_out(setting(tmp_path, 20))
    many = generalizability._held_out(setting(tmp_path, 60))
    assert len(few[0]) == 20 and len(many[0]) == 60
    for small, large in zip(few, many):
        np.testing.assert_array_equal(small, large[:20])


def test_each_image_is_of_the_fold_that_was_left_out(tmp_path):
    images, labels, folds = generalizability._held_out(setting(tmp_path, 50))
    numbers = images[:, 0, 0, 0].astype(int) // 4
    own = np.arange(COUNT * 4, dtype=np.uint8).reshape(COUNT, -1)[:, 0] // 4
    for number, label, fold in zip(numbers, labels, folds):
        (candidates,) = np.nonzero(own == number)
        assert any(c % 5 == fold and c % 4 == label for c in candidates)
    assert np.bincount(folds).tolist() == [10] * 5


def test_draws_of_a_control_are_averaged_pair_by_pair():
    drawn = [
        {"method": "SimpleGradient", "reco": reco, "same": np.array(same)}
        for reco, same in ((0.2, [1.0, 3.0]), (0.4, [3.0, 5.0]))
    ]
    found = generalizability._over_draws(drawn)
    assert found["method"] == "SimpleGradient"
    assert found["reco"] == pytest.approx(0.3)
    np.testing.assert_array_equal(found["same"], [2, 4])
