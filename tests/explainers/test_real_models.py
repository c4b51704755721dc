"""Models as people have them: applications, segmentation, regression, many channels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import photos
from tests.reference.groups import mean as group_mean

APPLICATIONS = {
    "MobileNetV2": ("mobilenet_v2", {"alpha": 0.35}),  # scaled to [−1, 1]
    "ResNet50": ("resnet50", {}),  # BGR, means taken off
}
PICTURES = photos(2, size=(32, 32, 3))


def by_hand(model, function, inputs, segments):
    """Mean in each group of the gradient of a score, with a tape and a loop."""
    inputs = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(model(inputs, training=False))
    return group_mean(tape.gradient(value, inputs).numpy(), segments)


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_of_keras(name):
    module, settings = APPLICATIONS[name]
    preprocess = getattr(keras.applications, module).preprocess_input
    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(32, 32, 3), classes=7, **settings
    )
    explainer = tss.SimpleGradient(model, tss.Quickshift(), preprocess=preprocess)
    out = explainer(PICTURES)
    segments = tss.Quickshift()(PICTURES).numpy()
    np.testing.assert_array_equal(out["segments"], segments)
    targets = out["targets"].numpy()

    def function(outputs):
        return tf.reduce_sum(tf.gather(outputs, targets, batch_dims=1))

    eaten = np.asarray(preprocess(PICTURES.copy()))
    expected = by_hand(model, function, eaten, segments)
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(out["maps"], expected, atol=2e-5 * scale)


def test_a_segmentation_model(tmp_path):
    """The score of a class is the sum of its logits where it is predicted."""
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu")(image / 255.0)
    model = keras.Model(image, keras.layers.Conv2D(4, 1)(x))

    def score(outputs, targets):
        index = tf.maximum(targets, 0)
        logits = tf.gather(outputs, index, axis=-1, batch_dims=1)
        here = tf.argmax(outputs, -1, output_type=tf.int32) == index[:, None, None]
        return tf.reduce_sum(tf.where(here, logits, 0.0), axis=[1, 2])

    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=5), score=score)
    out = explainer(PICTURES, targets=[2, 3])
    expected = by_hand(
        model, lambda y: tf.reduce_sum(score(y, tf.constant([2, 3]))), PICTURES,
        out["segments"].numpy(),
    )  # fmt: skip
    scale = np.abs(expected).max()
    np.testing.assert_allclose(out["maps"], expected, atol=1e-5 * scale)
    assert out["targets"].numpy().tolist() == [2, 3]
    explainer.export(tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    served = loaded.signatures["explain"](
        images=tf.constant(PICTURES), targets=tf.constant([2, 3])
    )
    expected = out["heatmaps"].numpy()
    scale = expected.max()
    np.testing.assert_allclose(served["heatmaps"], expected, atol=1e-5 * scale)


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression(outputs):
    """One number needs no class; of several the class is the index."""
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 5, 3, activation="tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(outputs),
        ]
    )
    index = outputs - 1
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=4), score="logit")
    out = explainer(PICTURES, targets=index)
    expected = by_hand(
        model, lambda y: tf.reduce_sum(y[:, index]), PICTURES, out["segments"].numpy()
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(out["maps"], expected, atol=1e-5 * scale)
    values = model(PICTURES)[:, index].numpy()
    np.testing.assert_allclose(out["scores"], values, rtol=1e-5)
    flat = keras.Model(model.inputs, model.outputs[0][:, 0])  # (N,), no row at all

    def number(outputs, targets):
        return outputs

    own = tss.SimpleGradient(flat, tss.SquareGrid(size=4), score=number)(PICTURES)
    expected = by_hand(flat, tf.reduce_sum, PICTURES, out["segments"].numpy())
    scale = np.abs(expected).max()
    np.testing.assert_allclose(own["maps"], expected, atol=1e-5 * scale)


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "channels, layer",
    [
        (1, tss.Quickshift),
        (12, tss.Quickshift),
        (2, tss.SLIC),
        (4, tss.Felzenszwalb),
    ],
)
def test_channels_that_are_not_three(channels, layer):
    images = photos(2, size=(20, 20, channels))
    model = keras.Sequential(
        [
            keras.Input((20, 20, channels)),
            keras.layers.Conv2D(3, 5, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    settings = {"n_segments": 9} if layer is tss.SLIC else {}
    explainer = tss.SmoothGrad(model, layer(**settings), num_samples=2)
    out = explainer(images)
    assert out["maps"].shape == images.shape
    groups = out["segments"].numpy()
    assert 1 < groups.max() < 399
    for row in range(2):
        for label in range(groups[row].max() + 1):
            values = out["maps"].numpy()[row][groups[row] == label]
            assert np.ptp(values, axis=0).max() == 0


@pytest.mark.cases(1)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_with_a_step_before_the_model(policy):
    """The pictures that are segmented are not rounded, nor those that are prepared."""
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                keras.layers.Conv2D(4, 5, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(5, activation="softmax", dtype="float32"),
            ]
        )
        layer = keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32")
        explainer = tss.SmoothGrad(
            model, tss.Quickshift(), num_samples=2, preprocess=layer
        )
        out = explainer(PICTURES)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(out["segments"], tss.Quickshift()(PICTURES))
    full = keras.models.clone_model(
        model,
        clone_function=lambda old: type(old).from_config(
            {**old.get_config(), "dtype": "float32"}
        ),
    )
    full.set_weights(model.get_weights())
    explainer = tss.SmoothGrad(full, tss.Quickshift(), num_samples=2, preprocess=layer)
    expected = explainer(PICTURES, targets=out["targets"])["maps"].numpy()
    error = np.abs(out["maps"] - expected).max() / np.abs(expected).max()
    assert 0 < error < (0.01 if policy == "mixed_float16" else 0.08)


@pytest.mark.thorough
def test_tf_keras_with_two_inputs():
    tf_keras = pytest.importorskip("tf_keras")
    photo = tf_keras.Input((32, 32, 3), name="photo")
    age = tf_keras.Input((1,), name="age")
    x = tf_keras.layers.Conv2D(4, 5, 3, activation="relu")(photo / 255.0)
    x = tf_keras.layers.GlobalAveragePooling2D()(x) * age
    x = tf_keras.layers.Dense(5, activation="softmax")(x)
    model = tf_keras.Model([age, photo], x)
    given = {"age": np.float32([[0.5], [3.0]])}
    explainer = tss.SimpleGradient(
        model, tss.SquareGrid(size=4), model_output="probability"
    )
    out = explainer(PICTURES, inputs=given)
    targets = out["targets"].numpy()
    expected = by_hand(
        lambda images, training: model([given["age"], images], training=training),
        lambda y: tf.reduce_sum(tf.gather(y, targets, batch_dims=1)),
        PICTURES,
        out["segments"].numpy(),
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(out["maps"], expected, atol=1e-5 * scale)
