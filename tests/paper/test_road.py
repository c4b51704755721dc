"""Tables of ROAD: draws of random groups, and the difference between the orders."""

import numpy as np
import pytest

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.paper.road import over_draws, photo_labels
from tf_superpixel_saliency.superpixels import SLIC


def test_draws_are_averaged_and_the_orders_compared():
    which = parts.with_controls(SLIC(n_segments=4), (parts.RANDOM,), num_seeds=2)
    # (4 partitions, 2 orders, 1 image): pixel, super-pixel and two draws.
    values = np.array([[0.5, 0.6], [0.3, 0.7], [0.4, 0.4], [0.2, 0.6]])[..., None]
    found = over_draws(values, which)
    wanted = [[0.5, 0.6, 0.1], [0.3, 0.7, 0.4], [0.3, 0.5, 0.2]]
    np.testing.assert_allclose(found[..., 0], wanted, atol=1e-12)


def test_harm_done_in_both_orders_alike_goes_out():
    which = parts.with_controls(SLIC(n_segments=4), ())
    values = np.random.default_rng(0).uniform(size=(2, 2, 3, 2, 9))
    harmed = values - np.array([0.0, 0.2])[:, None, None, None, None]
    before, after = over_draws(values, which), over_draws(harmed, which)
    np.testing.assert_allclose(after[:, 2], before[:, 2], atol=1e-12)
    np.testing.assert_allclose(after[1, :2], before[1, :2] - 0.2, atol=1e-12)


def test_photos_are_labelled_by_their_names():
    found = photo_labels(["7_cat.jpg", "281_tabby.jpg"])
    np.testing.assert_array_equal(found, [7, 281])
    with pytest.raises(ValueError, match=r"281_tabby\.jpg.*'cat_7\.jpg'"):
        photo_labels(["7_cat.jpg", "cat_7.jpg"])
