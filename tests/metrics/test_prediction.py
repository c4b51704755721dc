"""Rows through a network: full batches, every row once, errors that say why."""

import numpy as np
import pytest

from tf_superpixel_saliency.metrics.prediction import checked_classes, predict_rows


def first_pixel(images):
    """Probability p of class 0 and 1 − p of class 1, p the first pixel."""
    return np.stack([images[:, 0, 0, 0], 1 - images[:, 0, 0, 0]], axis=1)


@pytest.mark.parametrize("count, batch_size", [(1, 1), (1, 4), (8, 4), (7, 3), (5, 64)])
def test_every_row_once_in_full_batches(count, batch_size):
    values = np.linspace(0, 0.9, count)
    kept = []

    def predict(images):
        kept.append(images)
        return first_pixel(images)

    current = np.zeros((1, 1, 1), np.float32)

    def rows():
        for number, value in enumerate(values):
            current[...] = value  # the same array again
            yield current, number % 2

    found = predict_rows(predict, rows(), batch_size)
    expected = [v if n % 2 == 0 else 1 - v for n, v in enumerate(values)]
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(found.predicted, np.where(values < 0.5, 1, 0))
    assert {images.shape[0] for images in kept} == {batch_size}
    # What was given stays as it was.
    seen = np.concatenate(kept).ravel()[:count]
    np.testing.assert_allclose(seen, values, rtol=1e-6)


def test_the_class_predicted():
    images = np.array([0.2, 0.7, 0.9], np.float32).reshape(3, 1, 1, 1)
    rows = zip(images, [-1, -1, 1])
    found = predict_rows(first_pixel, rows, 2)
    np.testing.assert_allclose(found.probabilities, [0.8, 0.7, 0.1], atol=1e-6)
    assert checked_classes(first_pixel, images, None, 2).tolist() == [1, 0, 0]
    assert checked_classes(first_pixel, images, [1, -1, 1], 2).tolist() == [1, 0, 1]
    # Nothing to ask: nothing is predicted.
    assert checked_classes(None, images, 0, 2).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "predict, text",
    [
        (lambda x: x[:, 0, 0, 0], "must return probabilities of shape"),
        (lambda x: first_pixel(x)[:1], "must return probabilities of shape"),
        (lambda x: first_pixel(x)[:, :1], "from 0 to 0, or −1"),
        (lambda x: first_pixel(x) * np.nan, "NaN or infinite"),
    ],
)
def test_other_predictions_are_refused(predict, text):
    rows = [(np.zeros((1, 1, 1), np.float32), 1)]
    with pytest.raises(ValueError, match=text):
        predict_rows(predict, rows, 4)


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="batch_size"):
        predict_rows(first_pixel, [], 0)
