"""Explainers with a frozen model against the same with the model as it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.explainers.frozen import folding

METHODS = {
    "simple_gradient": lambda *a, **k: tss.SimpleGradient(*a, **k),
    "smoothgrad": lambda *a, **k: tss.SmoothGrad(*a, num_samples=5, chunk_size=4, **k),
    "sparsified": lambda *a, **k: tss.SparsifiedSmoothGrad(*a, num_samples=3, **k),
    "dynamic": lambda *a, **k: tss.SmoothGrad(
        *a, num_samples=3, partition="dynamic", **k
    ),
    "midpoint": lambda *a, **k: tss.IntegratedGradients(*a, num_steps=5, **k),
    "adaptive": lambda *a, **k: tss.IntegratedGradients(
        *a, num_steps=5, quadrature="adaptive", baseline="blur", **k
    ),
    "rise": lambda *a, **k: tss.RISE(*a, num_masks=8, **k),
}


def build(start=True):
    """Smooth, so that rounding shows as rounding."""
    first = [keras.layers.Rescaling(1 / 64, -1)] if start else []
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            *first,
            keras.layers.Conv2D(4, 3, strides=2, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("swish"),
            keras.layers.DepthwiseConv2D(3),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("swish"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    random = np.random.default_rng(0)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.path else -1.0
        weight.assign(random.uniform(low, 1.0, weight.shape))
    return model


MODEL = build()


def photos(count=2):
    return np.random.default_rng(3).uniform(0, 255, (count, 12, 12, 3))


def assert_close(found, expected):
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(found[key], expected[key])
    largest = np.abs(expected["maps"]).max()
    np.testing.assert_allclose(found["maps"], expected["maps"], atol=2e-5 * largest)


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", METHODS)
def test_equal_to_the_model_as_it_is(name):
    layer = tss.SquareGrid(3)
    frozen = METHODS[name](MODEL, superpixels=layer)
    found = frozen(photos())
    assert frozen.freezing.num_folded == 2
    assert frozen.freezing.has_affine_start
    assert frozen.freezing.reason == ""
    as_it_is = METHODS[name](MODEL, superpixels=layer, fold_batch_norms=False)
    assert_close(found, as_it_is(photos()))
    assert as_it_is.freezing.reason == "fold_batch_norms=False"


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", ["smoothgrad", "midpoint"])
def test_under_xla_and_predict(name, xla):
    frozen = METHODS[name](MODEL)
    frozen.compile(jit_compile=xla)
    expected = METHODS[name](MODEL, fold_batch_norms=False)(photos())
    assert_close(frozen.predict(photos(), verbose=0), expected)
    dataset = tf.data.Dataset.from_tensor_slices(np.float32(photos())).batch(1)
    assert_close(frozen.predict(dataset, verbose=0), expected)
    assert_close(frozen(photos()), expected)


def test_with_a_step_before_the_model():
    def preprocess(images):
        return tf.square(images / 100) + tf.reduce_mean(images, [1, 2, 3], True) / 100

    model = build(start=False)
    frozen = tss.SmoothGrad(model, num_samples=4, preprocess=preprocess)
    plain = tss.SmoothGrad(
        model, num_samples=4, preprocess=preprocess, fold_batch_norms=False
    )
    assert_close(frozen(photos()), plain(photos()))


def test_weights_are_live():
    model = build()
    frozen = tss.SmoothGrad(model, num_samples=3)
    before = frozen(photos())["maps"].numpy()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 4)
            layer.beta.assign_add(0.5 * tf.ones_like(layer.beta))
    after = frozen(photos())
    assert np.abs(after["maps"] - before).max() > 0.1 * np.abs(before).max()
    plain = tss.SmoothGrad(model, num_samples=3, fold_batch_norms=False)
    assert_close(after, plain(photos()))


def test_a_wrong_fold_is_seen_and_left_out(monkeypatch):
    right = folding.norm_factors
    monkeypatch.setattr(
        folding, "norm_factors", lambda norm: (right(norm)[0] * 1.001, right(norm)[1])
    )
    explainer = tss.SimpleGradient(MODEL)
    found = explainer(photos())
    assert "on random images it differed" in explainer.freezing.reason
    monkeypatch.undo()
    plain = tss.SimpleGradient(MODEL, fold_batch_norms=False)
    assert_close(found, plain(photos()))


def test_a_trial_that_fails_leaves_the_model_as_it_is(monkeypatch):
    def broken(norm):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(folding, "norm_factors", broken)
    explainer = tss.SimpleGradient(MODEL)
    assert np.isfinite(explainer(photos())["maps"]).all()
    assert "failed: RuntimeError" in explainer.freezing.reason
    assert "no such kernel" in explainer.freezing.reason


def test_grad_cam_runs_the_layers_itself():
    explainer = tss.GradCAM(MODEL)
    explainer(photos())
    assert explainer.freezing is None


def test_what_has_no_layers_to_see():
    explainer = tss.SimpleGradient(
        lambda images: MODEL(images), model_output="probability"
    )
    assert explainer.freezing is None
    explainer(photos())
    assert explainer.freezing.reason == "only Keras models show their layers"


def test_further_inputs_are_given_on():
    images, extra = keras.Input((6, 6, 2), name="pixels"), keras.Input((3,), name="age")
    x = keras.layers.Conv2D(3, 3)(images)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Concatenate()([x, extra])
    outputs = keras.layers.Dense(2, activation="softmax")(x)
    model = keras.Model({"pixels": images, "age": extra}, outputs)
    pixels = np.random.default_rng(0).normal(size=(2, 6, 6, 2))
    ages = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)
    results = []
    for fold in (True, False):
        explainer = tss.SmoothGrad(model, num_samples=3, fold_batch_norms=fold)
        results.append(explainer(pixels, inputs={"age": ages}))
        assert explainer.freezing.num_folded == int(fold)
    assert_close(*results)


def test_saved_and_loaded(tmp_path):
    explainer = tss.SmoothGrad(MODEL, num_samples=2, fold_batch_norms=False)
    path = tmp_path / "explainer.keras"
    explainer.save(path)
    assert keras.saving.load_model(path).fold_batch_norms is False


@pytest.mark.thorough
def test_the_transpose_of_the_start_runs_once_a_pair():
    explainer = tss.SmoothGrad(MODEL, num_samples=6)
    graph = tf.function(explainer.call).get_concrete_function(
        tf.TensorSpec((None, 12, 12, 3))
    )
    bodies = [f.graph_def for f in _functions(graph)]
    inside = sum(
        node.op == "Conv2DBackpropInput" for body in bodies for node in body.node
    )
    outside = sum(
        node.op == "Conv2DBackpropInput" for node in graph.graph.as_graph_def().node
    )
    # The first convolution's alone, of the pairs' means; the depthwise one is another
    # op.
    assert (outside, inside) == (0, 1)


def _functions(graph):
    class Body:
        def __init__(self, function):
            self.graph_def = type("Nodes", (), {"node": list(function.node_def)})

    return [Body(f) for f in graph.graph.as_graph_def().library.function]
