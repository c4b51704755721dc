import numpy as np
import pytest
import tensorflow as tf

from tests.explainers.networks import SIZE, classifier, photos, relative_error, twin
from tests.explainers.test_grad_cam import features_of
from tests.reference import cams as reference
from tf_superpixel_saliency.explainers import ScoreCAM

TARGETS = [4, 0, 2]


@pytest.fixture(scope="module")
def model():
    return classifier()


def twin_map(model, image, target, **settings):
    network = twin(model)

    def score(shown):
        return network.score(shown[None], [target])[0]

    features = settings.pop("features", None)
    features = features_of(model, image) if features is None else features
    return reference.score_cam(image, features, score, **settings)


@pytest.mark.cases(2)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"relu": False},
        {"relu": False, "weighting": "softmax"},
        {"relu": False, "fill": 127.5},
        {"relu": False, "fill": (10.0, 100.0, 200.0)},
    ],
    ids=str,
)
def test_equals_the_twin(model, settings):
    images = photos()
    out = ScoreCAM(model, **settings)(images, TARGETS)
    assert out["maps"].shape == (3, *SIZE[:2], 1) and out["maps"].dtype == tf.float32
    for image, target, found in zip(images, TARGETS, out["maps"][..., 0].numpy()):
        expected = twin_map(model, image, target, **settings)
        # Scores of up to 1 are subtracted and multiplied by the feature maps: that is
        # the size of what is rounded.
        scale = features_of(model, image).sum(axis=-1).max()
        assert np.abs(found - expected).max() < 1e-6 * scale
        if not settings.get("relu", True):
            assert np.abs(expected).max() > 1e-3 * scale


def seeing(places, shape=(4, 6), gain=1.0):
    """A model whose feature maps are given pixels of one image each, and its head.

    Feature map k is 1 at `places[k]` and 0 elsewhere, whatever the image; the score
    of class 0 is the image's sum.
    """
    maps = np.zeros((1, *shape, len(places)), "float32")
    for number, place in enumerate(places):
        maps[0, place[0], place[1], number] = gain

    def features(images):
        return tf.tile(tf.constant(maps), [tf.shape(images)[0], 1, 1, 1])

    def model(images):
        total = tf.reduce_sum(images, [1, 2, 3])
        return tf.stack([total, -total], axis=1)

    def head(maps):
        raise AssertionError("the feature maps alone are needed")

    return model, (features, lambda maps: maps)


def test_by_hand():
    # Each mask shows one pixel: its weight is that pixel's value, times the map.
    model, pair = seeing([(0, 0), (1, 2), (3, 5)], gain=0.5)
    images = np.arange(24, dtype="float32").reshape(1, 4, 6, 1) + 1
    explainer = ScoreCAM(
        model, layer=pair, score="logit", model_output="logit", relu=False
    )
    expected = np.zeros((4, 6))
    expected[0, 0], expected[1, 2], expected[3, 5] = 0.5 * 1, 0.5 * 9, 0.5 * 24
    found = explainer(images, targets=0)["maps"][0, ..., 0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # From a fill of 2, a pixel's weight is its value less 2.
    filled = ScoreCAM(
        model, layer=pair, score="logit", model_output="logit", relu=False, fill=2.0
    )
    found = filled(images, targets=0)["maps"][0, ..., 0]
    np.testing.assert_allclose(found, expected - (expected > 0), atol=1e-5)


def test_only_what_speaks_for_the_class_is_left():
    model, pair = seeing([(0, 0), (1, 2)])
    images = np.ones((1, 4, 6, 1), "float32")
    images[0, 1, 2] = -3
    settings = {"layer": pair, "score": "logit", "model_output": "logit"}
    found = ScoreCAM(model, **settings)(images, targets=0)["maps"][0, ..., 0].numpy()
    assert found[0, 0] == 1 and found.sum() == 1
    found = ScoreCAM(model, **settings)(images, targets=1)["maps"][0, ..., 0].numpy()
    assert found[1, 2] == 3 and found.sum() == 3


def test_a_constant_feature_map_weighs_nothing():
    model, (features, head) = seeing([(0, 0)])
    pair = (lambda x: tf.concat([features(x), 0 * features(x) + 7], axis=-1), head)
    images = np.ones((1, 4, 6, 1), "float32")
    out = ScoreCAM(model, layer=pair, score="logit", model_output="logit", fill=0.25)(
        images, targets=0
    )
    expected = np.zeros((4, 6))
    expected[0, 0] = 0.75
    np.testing.assert_allclose(out["maps"][0, ..., 0], expected, atol=1e-5)
    assert out["status"].numpy() == 0


def test_the_channels_that_vary_most_are_each_images_own(model):
    images = photos()
    out = ScoreCAM(model, max_channels=2, relu=False)(images, TARGETS)
    chosen = []
    for image, target, found in zip(images, TARGETS, out["maps"].numpy()):
        features = features_of(model, image)
        spread = [features[..., k].std() for k in range(features.shape[2])]
        best = np.argsort(spread)[::-1][:2]
        chosen.append(frozenset(best))
        expected = twin_map(
            model, image, target, features=features[..., best], relu=False
        )
        assert relative_error(found[None, ..., 0], expected[None])[0] < 1e-5
    assert len(set(chosen)) > 1
    every = ScoreCAM(model, relu=False)(images, TARGETS)["maps"]
    for enough in (6, 100):
        same = ScoreCAM(model, max_channels=enough, relu=False)(images, TARGETS)
        np.testing.assert_array_equal(same["maps"], every)


def test_one_channel_is_that_map_times_its_increase():
    model, pair = seeing([(2, 3)])
    images = np.full((1, 4, 6, 1), 5.0, "float32")
    out = ScoreCAM(
        model, layer=pair, score="logit", model_output="logit", weighting="softmax"
    )(images, targets=0)
    # A softmax over one channel is 1.
    assert out["maps"].numpy()[0, 2, 3, 0] == 1 and out["maps"].numpy().sum() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_channels", 0),
        ("max_channels", 2.5),
        ("weighting", "score"),
        ("relu", None),
        ("fill", "blur"),
        ("fill", float("nan")),
        ("fill", []),
        ("fill", np.zeros((2, 2))),
        ("chunk_size", 0),
    ],
)
def test_arguments_out_of_range_are_named(model, name, value):
    with pytest.raises(ValueError, match=name):
        ScoreCAM(model, **{name: value})


def test_a_fill_of_other_channels_is_named(model):
    with pytest.raises(
        ValueError, match=r"fill must have one number for each of the 3"
    ):
        ScoreCAM(model, fill=(1.0, 2.0))(photos())
