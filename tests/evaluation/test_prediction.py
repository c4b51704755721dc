"""A classifier as a plain function: the model's own answers, however it is run."""

import keras
import numpy as np
import pytest

from tests.evaluation.networks import classifier, photos
from tf_superpixel_saliency.evaluation import prediction
from tf_superpixel_saliency.explainers.scoring import Scorer


def test_softmax_where_the_model_gives_logits():
    model = classifier(3)
    logits = keras.Sequential([*model.layers[:-1], keras.layers.Dense(4)])
    logits.build((None, 24, 24, 3))
    logits.layers[-1].set_weights(model.layers[-1].get_weights())
    images = photos(3)
    np.testing.assert_allclose(
        prediction.probabilities(logits)(images),
        prediction.probabilities(model)(images),
        atol=1e-6,
    )


@pytest.mark.parametrize("rows", [1, 3, 7, 20])
def test_chunks_of_any_size_give_the_models_own_answers(rows, monkeypatch):
    monkeypatch.setattr(Scorer, "rows_at_once", lambda *_: rows)
    model, images = classifier(3), photos(7)
    predict = prediction.probabilities(model)
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(predict(images), expected, atol=1e-6)
    np.testing.assert_allclose(predict(images[:2]), expected[:2], atol=1e-6)
    assert predict(images[:0]).shape == (0, 4)


def test_the_network_goes_through_in_chunks_that_suit_it(monkeypatch):
    """Those of explainers, and frozen: a batch norm's operations are gone."""
    asked = []
    original = Scorer.rows_at_once

    def recorded(self, chunk_size, images):
        asked.append((chunk_size, self.freezer.freezing.num_folded))
        return original(self, chunk_size, images)

    monkeypatch.setattr(Scorer, "rows_at_once", recorded)
    model = keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            keras.layers.Conv2D(4, 3, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    images = photos(5)
    found = prediction.probabilities(model)(images)
    np.testing.assert_allclose(found, model.predict(images, verbose=0), atol=1e-5)
    assert asked == [("auto", 1)]


def test_every_size_has_its_answer():
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Dense(4, activation="softmax")(pooled)
    model = keras.Model(inputs, outputs)
    predict = prediction.probabilities(model)
    for images in (photos(2), photos(2)[:, :10, :12], photos(3)):
        expected = model.predict(images, verbose=0)
        np.testing.assert_allclose(predict(images), expected, atol=1e-6)
