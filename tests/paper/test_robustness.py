"""What the experiment of robustness keeps and averages."""

import numpy as np
import pytest

from tf_superpixel_saliency.paper import robustness


def test_the_same_images_are_explained_once():
    asked = []

    def explain(images):
        asked.append(images)
        return images * 2

    remembered = robustness._remembering(explain)
    first, other = np.ones((2, 3, 3, 1)), np.zeros((2, 3, 3, 1))
    for images in (first, other, first.copy(), other[::-1]):
        np.testing.assert_array_equal(remembered(images), images * 2)
    assert len(asked) == 2


def test_draws_of_a_control_are_averaged_image_by_image():
    keys = ("similarity", "chance", "excess")
    drawn = [
        {key: np.array([low, high]) + shift for shift, key in enumerate(keys)}
        for low, high in ((0.0, 1.0), (0.5, 0.5))
    ]
    row = robustness._columns(drawn)
    assert row["SSIM"].mean == pytest.approx(0.5)
    assert row["SSIM by chance"] == pytest.approx(1.5)
    # Over images, not over draws: the images' means are 0.25 and 0.75.
    assert (row["SSIM"].low, row["SSIM"].high, row["SSIM"].n) == (0.25, 0.75, 2)
    assert row["SSIM excess"].mean == pytest.approx(2.5)
