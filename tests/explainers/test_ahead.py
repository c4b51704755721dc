"""Super-pixels on the host: the next batch is segmented while this one is explained."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, classifier, photos, relative_error
from tf_superpixel_saliency.superpixels.host import HostSuperpixelLayer


@keras.saving.register_keras_serializable(package="tests")
class Recorded(HostSuperpixelLayer):
    """Groups of equal brightness; says how many images were segmented."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []
        self.fifth = threading.Event()

    def segment_one(self, image):
        self.seen.append(threading.get_ident())
        if len(self.seen) >= 5:
            self.fifth.set()
        return np.floor(4 * image.mean(axis=-1)).astype(int)


@pytest.fixture(scope="module")
def explainer():
    return tss.SimpleGradient(classifier(), Recorded())


@pytest.fixture(scope="module")
def expected(explainer):
    return as_arrays(explainer(photos(6), np.arange(6) % 5))


def check(out, expected):
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(out[key], expected[key])


def test_the_next_batch_is_segmented_before_this_one_is_asked_for(explainer):
    layer = explainer.superpixels
    layer.seen.clear()
    layer.fifth.clear()
    batches = explainer.explain_batches(photos(20), batch_size=4)
    next(batches)
    assert layer.fifth.wait(20)
    next(batches)
    batches.close()
    assert 8 <= len(layer.seen) <= 16  # and not all of them, for memory


@pytest.mark.cases(1)
@pytest.mark.parametrize("source", ["arrays", "dataset"])
def test_results_are_those_of_the_direct_call(explainer, expected, source):
    data = {"images": photos(6), "targets": np.arange(6) % 5}
    if source == "dataset":
        data = tf.data.Dataset.from_tensor_slices(data).batch(4)
    check(explainer.predict(data, batch_size=4, verbose=0), expected)
    parts = list(explainer.explain_batches(data, batch_size=4))
    check({k: np.concatenate([p[k] for p in parts]) for k in parts[0]}, expected)


def test_images_that_cannot_be_segmented_have_their_status(explainer, expected):
    images = photos(6)
    images[1, 0, 0, 0] = np.nan
    data = tf.data.Dataset.from_tensor_slices(images).batch(3)
    with pytest.warns(UserWarning, match="NaN"):
        parts = list(explainer.explain_batches(data))
    assert [part["status"].tolist() for part in parts] == [[0, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(parts[1]["segments"], expected["segments"][3:])


def test_segments_of_ones_own_are_kept(explainer):
    own = np.zeros(photos(1).shape[1:3], int)
    (out,) = explainer.explain_batches({"images": photos(2), "segments": own})
    assert not out["segments"].any()


def test_an_error_comes_through():
    class Failing(Recorded):
        def segment_one(self, image):
            raise ArithmeticError("no groups")

    explainer = tss.SimpleGradient(classifier(), Failing())
    with pytest.raises(RuntimeError, match="no groups"):
        list(explainer.explain_batches(photos(2)))
