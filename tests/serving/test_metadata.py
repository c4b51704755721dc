"""What a SavedModel says of itself, over the wire and as a file."""

import hashlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import classifier
from tests.serving.models import named_classifier
from tests.serving.server import Server
from tf_superpixel_saliency.explainers.signatures import Explanation
from tf_superpixel_saliency.serving import metadata


def explainer_of(model, **settings):
    settings = {"num_samples": 2, "top_fraction": 0.3, **settings}
    layer = tss.SquareGrid(like=tss.SLIC(n_segments=9, value_range=(0, 1)))
    layer.value_range = (0.0, 1.0)
    return tss.SparsifiedSmoothGrad(model, layer, **settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tss.export(
        explainer_of(named_classifier(), seed=4),
        tmp_path_factory.mktemp("served"),
        resize="squeeze",
        warm_up=(),
    )


@pytest.fixture(scope="module")
def described(folder):
    return json.loads((folder / "assets.extra" / "metadata.json").read_text("utf-8"))


@pytest.mark.thorough
def test_settings_and_versions(described):
    assert described["method"] == "SparsifiedSmoothGrad"
    assert described["settings"].items() >= {
        "num_samples": 2, "top_fraction": 0.3, "seed": 4, "score": "probability",
        "noise_level": 0.15, "partition": "static",
    }.items()  # fmt: skip
    assert described["superpixels"]["class"] == "SquareGrid"
    assert described["superpixels"]["like"]["config"]["n_segments"] == 9
    assert described["image_bytes"] == {
        "image_shape": [12, 11, 3], "resize": "squeeze", "value_range": [0, 1],
        "max_pixels": 50_000_000,
    }  # fmt: skip
    assert described["versions"]["tensorflow"] == tf.__version__
    assert described["versions"]["keras"] == keras.__version__
    assert described["versions"]["tf_superpixel_saliency"] == tss.__version__


def test_a_client_asks_for_it(folder, described):
    server = Server(folder)
    keys = ["", "settings", "weights_sha256", "nothing of the kind"]
    answers = server.predict("metadata", {"keys": keys})["values"]
    everything, settings, digest, nothing = [json.loads(one) for one in answers]
    assert everything == described
    assert settings == described["settings"]
    assert digest == described["weights_sha256"]
    assert nothing is None
    answer = server.rest('{"signature_name": "metadata", "instances": ["method"]}')
    assert [json.loads(one) for one in answer["predictions"]] == [described["method"]]


def test_the_digest_of_the_weights(described):
    digests = []
    for array in named_classifier().get_weights():
        head = f"{array.dtype} {array.shape}".encode()
        digests.append(hashlib.sha256(head + array.tobytes()).digest())
    expected = hashlib.sha256(b"".join(sorted(digests))).hexdigest()
    assert described["weights_sha256"] == expected


def described_anew(explainer, shape=(12, 11, 3)):
    return metadata.describe(explainer, Explanation(explainer, shape))


@pytest.mark.thorough
def test_digests_change_with_what_they_are_of():
    model = classifier()
    first = described_anew(explainer_of(model))
    other = described_anew(explainer_of(model, noise_level=0.2))
    model.layers[-1].bias.assign_add(np.ones(5))
    trained = described_anew(explainer_of(model))
    assert first["weights_sha256"] == other["weights_sha256"]
    assert first["settings_sha256"] != other["settings_sha256"]
    assert first["weights_sha256"] != trained["weights_sha256"]
    assert first["settings_sha256"] == trained["settings_sha256"]


def test_models_without_variables_and_settings_that_are_no_json():
    def linear(scale):
        weights = tf.constant(scale * np.eye(396, 3), tf.float32)
        return lambda images: tf.reshape(images, [-1, 396]) @ weights

    def brightest(outputs, targets):
        return tf.reduce_max(outputs, -1)

    found = []
    for scale in (1.0, 2.0):
        explainer = tss.IntegratedGradients(
            linear(scale),
            num_steps=2,
            score=brightest,
            baseline=np.zeros((12, 11, 3), "float32"),
            preprocess=keras.layers.Rescaling(0.5),
        )
        found.append(described_anew(explainer))
    assert found[0]["weights_sha256"] != found[1]["weights_sha256"]
    assert found[0]["settings"]["score"] == "brightest"
    assert found[0]["settings"]["baseline"]["shape"] == [12, 11, 3]
    assert found[0]["preprocess"]["class"] == "Rescaling"
    assert found[0]["superpixels"] is None
    json.dumps(found)
