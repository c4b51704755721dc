"""`preprocess=`: super-pixels on the picture, the gradient in what the model eats."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, as_arrays, classifier, photos

MEANS, SPREADS = np.float32([103.9, 116.8, 123.7]), np.float32([57.0, 60.0, 58.0])


def standardized(images):
    """BGR, minus its mean, over its spread: what no `value_range` can say."""
    return (images[..., ::-1] - MEANS) / SPREADS


class Standardized(keras.layers.Layer):
    def call(self, images):
        return standardized(images)


def eats_standardized():
    """A classifier of what `standardized` makes."""
    inner = classifier()
    image = keras.Input(SIZE)
    return keras.Model(image, inner(image * 40.0 + 128.0))


MODEL = eats_standardized()
SQUARES = tss.SquareGrid(size=3)


def of_both(method, **settings):
    """A method on pictures with `preprocess`, and on what the model eats without."""
    on_pictures = method(MODEL, SQUARES, preprocess=standardized, **settings)
    plain = method(MODEL, **settings)
    eaten = standardized(photos())
    segments = SQUARES(photos()).numpy()
    return as_arrays(on_pictures(photos())), as_arrays(plain(eaten, segments=segments))


@pytest.mark.parametrize("method", [tss.SimpleGradient, tss.GradCAM])
def test_the_same_as_segments_of_the_picture_and_the_input_of_the_model(method):
    ours, theirs = of_both(method)
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(ours[key], theirs[key], key)
    for key in ("maps", "heatmaps", "scores"):
        scale = np.abs(theirs[key]).max()
        np.testing.assert_allclose(ours[key], theirs[key], atol=1e-5 * scale)
    assert np.ptp(ours["maps"]) > 0


def test_the_path_and_the_noise_are_those_of_the_picture():
    """An affine preprocess: a path between pictures is one between their inputs."""
    settings = {"num_steps": 8, "superpixels": SQUARES}
    ours = as_arrays(
        tss.IntegratedGradients(MODEL, preprocess=standardized, **settings)(photos())
    )
    black = np.broadcast_to(standardized(np.zeros(SIZE, np.float32)), SIZE)
    plain = tss.IntegratedGradients(MODEL, num_steps=8, baseline=black)
    theirs = as_arrays(plain(standardized(photos()), segments=ours["segments"]))
    scale = np.abs(theirs["maps"]).max()
    np.testing.assert_allclose(ours["maps"], theirs["maps"], atol=1e-5 * scale)
    np.testing.assert_allclose(
        ours["completeness_error"], theirs["completeness_error"], atol=2e-6
    )


def test_smooth_grad_adds_its_noise_to_the_picture():
    """Against the mean of gradients at the same noisy pictures, one by one."""
    smooth = tss.SmoothGrad(
        MODEL, SQUARES, preprocess=standardized, num_samples=3, chunk_size=2
    )
    # Pairs 0 and 1, the second of which is one sample, there twice.
    points = np.stack([smooth.pair_points(x[None], tf.range(2)) for x in photos()], 1)
    np.testing.assert_array_equal(points[3], points[1])
    plain = tss.SimpleGradient(MODEL)
    targets = smooth(photos())["targets"].numpy()
    gradients = [
        plain(standardized(rows), targets=targets)["maps"].numpy()
        for rows in points[:3]
    ]
    expected = tss.group_map(np.mean(gradients, axis=0), SQUARES(photos()).numpy())
    maps = smooth(photos())["maps"].numpy()
    np.testing.assert_allclose(maps, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.thorough
def test_a_dynamic_partition_segments_noisy_pictures():
    smooth = tss.SmoothGrad(
        MODEL, tss.SLIC(n_segments=6), preprocess=standardized, num_samples=2,
        partition="dynamic",
    )  # fmt: skip
    out = as_arrays(smooth(photos()))
    assert (out["num_groups"] > 1).all() and np.isfinite(out["maps"]).all()


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "method, settings",
    [
        (tss.ScoreCAM, {}),
        (tss.RISE, {"num_masks": 12}),
        (tss.LIME, {"num_samples": 20, "superpixels": SQUARES}),
        (tss.XRAI, {"num_steps": 3, "superpixels": SQUARES}),
    ],
)
def test_region_methods_hide_parts_of_the_picture(method, settings):
    """The same as with the step inside of the model: fills and baselines are colours.

    Only the maximum over the channels of XRAI could tell their order, and an affine
    step leaves each channel's part of IntegratedGradients as it is.
    """
    image = keras.Input(SIZE)
    inside = keras.Model(image, MODEL(Standardized()(image)))
    layer = {} if method not in (tss.GradCAM, tss.ScoreCAM) else {"layer": "conv"}
    layer = {key: MODEL.layers[-1].layers[-3].name for key in layer}
    ours = as_arrays(
        method(MODEL, preprocess=standardized, **settings, **layer)(photos())
    )
    theirs = as_arrays(method(inside, **settings, **layer)(photos()))
    scale = np.abs(theirs["maps"]).max()
    assert scale > 0
    np.testing.assert_allclose(ours["maps"], theirs["maps"], atol=1e-5 * scale)


@pytest.mark.thorough
def test_maps_have_the_channels_that_the_model_eats(tmp_path):
    model = classifier(size=(12, 11, 1))

    def gray(images):
        return tf.reduce_mean(images, axis=-1, keepdims=True)

    for method in (tss.SimpleGradient, tss.SmoothGrad, tss.IntegratedGradients):
        explainer = method(model, SQUARES, preprocess=gray)
        assert explainer(photos())["maps"].shape == (3, 12, 11, 1)
        predicted = explainer.predict(photos(), verbose=0)
        assert predicted["segments"].shape == (3, 12, 11)
    explainer.export(tmp_path / "served", image_shape=(12, 11, 3))
    loaded = tf.saved_model.load(str(tmp_path / "served"))
    out = loaded.signatures["explain_maps"](
        images=tf.constant(photos()), targets=tf.constant([-1, -1, -1])
    )
    expected = explainer(photos())["heatmaps"].numpy()
    scale = expected.max()
    np.testing.assert_allclose(out["heatmaps"], expected, atol=1e-5 * scale)


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "preprocess",
    [
        keras.applications.resnet50.preprocess_input,
        keras.applications.mobilenet_v2.preprocess_input,
        keras.layers.Rescaling(1 / 127.5, -1.0),
    ],
    ids=["resnet50", "mobilenet_v2", "layer"],
)
def test_a_step_of_keras_is_saved_with_the_explainer(preprocess, tmp_path):
    explainer = tss.SimpleGradient(classifier(), SQUARES, preprocess=preprocess)
    expected = explainer(photos())["maps"].numpy()
    explainer.save(tmp_path / "explainer.keras")
    again = keras.models.load_model(tmp_path / "explainer.keras")
    np.testing.assert_array_equal(again(photos())["maps"], expected)


def test_the_pictures_are_not_changed():
    pictures = photos()
    explainer = tss.SimpleGradient(
        MODEL, preprocess=keras.applications.resnet50.preprocess_input
    )
    explainer(pictures)
    np.testing.assert_array_equal(pictures, photos())


def test_a_function_that_keras_does_not_know_is_not_saved(tmp_path):
    explainer = tss.SimpleGradient(classifier(), preprocess=standardized)
    with pytest.raises(ValueError, match="preprocess is a function"):
        explainer.save(tmp_path / "explainer.keras")
    assert not list(tmp_path.iterdir())


def test_bad_preprocess():
    with pytest.raises(TypeError, match="preprocess must be a function"):
        tss.SimpleGradient(MODEL, preprocess="imagenet")
    with pytest.raises(ValueError, match="keep the batch and the size"):
        tss.SimpleGradient(MODEL, preprocess=lambda x: x[:, ::2, ::2])(photos())
    with pytest.raises(TypeError, match="TensorFlow or Keras operations"):
        tss.SimpleGradient(MODEL, preprocess=lambda x: np.square(np.asarray(x)))(
            photos()
        )
