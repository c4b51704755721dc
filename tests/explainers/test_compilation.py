"""How often an explainer is traced, where XLA compiles it, threads that share it."""

import concurrent.futures
import functools

import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, classifier, photos, relative_error


def build(method=tss.SimpleGradient, **kwargs):
    return method(classifier(), tss.SquareGrid(size=4), **kwargs)


def test_one_trace_for_all_batch_sizes_and_targets():
    traces = []
    inner = classifier()

    def model(images):
        traces.append(1)
        return inner(images, training=False)

    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=4))
    explainer(photos(3))
    once = len(traces)
    assert once == 1
    for count in (1, 2, 5):
        explainer(photos(count), targets=[0] * count)
        explainer(photos(count).astype("uint8"), targets=1)
        list(explainer.explain_batches(photos(count), batch_size=2))
    assert len(traces) == once
    explainer(photos(2), segments=np.zeros(photos(1).shape[1:3], int))
    assert len(traces) == once + 1  # another graph: no super-pixel layer in it
    explainer(photos(3), segments=np.zeros(photos(3).shape[:3], int))
    assert len(traces) == once + 1


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "method",
    [
        tss.SimpleGradient,
        functools.partial(tss.SmoothGrad, num_samples=5),
        functools.partial(tss.IntegratedGradients, num_steps=5),
    ],
    ids=["simple", "smooth", "integrated"],
)
def test_call_is_traced_once(method, monkeypatch):
    """Counted inside `call`; batches, targets and sources differ."""
    explainer = method(classifier(), tss.SquareGrid(size=4))
    traces = []
    original = explainer.call
    monkeypatch.setattr(
        explainer, "call", lambda *a, **k: traces.append(1) or original(*a, **k)
    )
    everything = photos(5)
    explainer(everything[:2])
    explainer(everything, targets=[0, 1, 2, -1, 4])
    explainer(everything[:1].astype("uint8"), targets=3)
    explainer(everything[:4].tolist(), targets=None)
    explainer({"images": everything, "targets": np.arange(5)})
    list(explainer.explain_batches(everything, batch_size=2))
    data = tf.data.Dataset.from_tensor_slices(
        {"images": everything, "targets": [0] * 5}
    )
    list(explainer.explain_batches(data.batch(3)))
    list(explainer.explain_batches(data.map(lambda row: row["images"]).batch(4)))
    assert len(traces) == 1
    # Keras' own function for `predict`, once more whatever the batch.
    for batch_size in (1, 2, 5):
        explainer.predict(everything, batch_size=batch_size, verbose=0)
        explainer.predict(everything, batch_size, 0, targets=[0, 1, 2, 3, 4])
    explainer.predict(data.batch(2), verbose=0)
    assert len(traces) <= 3


@pytest.mark.cases(3)
@pytest.mark.parametrize(
    "method, expected",
    [
        (functools.partial(tss.SmoothGrad, num_samples=10), 2),
        (functools.partial(tss.SmoothGrad, num_samples=10, partition="dynamic"), 2),
        (functools.partial(tss.SparsifiedSmoothGrad, num_samples=10), 2),
        (functools.partial(tss.IntegratedGradients, num_steps=23), 3),
        (functools.partial(tss.IntegratedGradients, tolerance=0.1), 3),
        (functools.partial(tss.IntegratedGradients, quadrature="midpoint"), 3),
    ],
)
def test_all_loops_of_a_method_share_one_trace_of_the_gradient(method, expected):
    """Scores at the image, at a baseline too, and a gradient: that of a large network
    takes seconds to trace. Chunks of 4 leave a rest, the adaptive rule has rounds.
    """
    traces, inner = [], classifier()

    def model(images):
        traces.append(1)
        return inner(images, training=False)

    method(model, tss.SquareGrid(size=4), chunk_size=4)(photos(2))
    assert len(traces) == expected


def test_under_xla_batches_have_one_shape(monkeypatch):
    explainer = build()
    explainer.compile(jit_compile=True)
    shapes = []
    direct = explainer._direct.function

    def recorded(self, tensors, strategy=None):
        shapes.append({key: tuple(value.shape) for key, value in tensors.items()})
        return direct(self, tensors, strategy)

    monkeypatch.setattr(explainer._direct, "function", recorded)
    data = tf.data.Dataset.from_tensor_slices(photos(5)).batch(2)
    expected = as_arrays(build()(photos(5)))
    for source in (photos(5), data):
        parts = list(explainer.explain_batches(source, batch_size=2))
        assert [len(part["status"]) for part in parts] == [2, 2, 1]
        maps = np.concatenate([part["maps"] for part in parts])
        assert relative_error(maps, expected["maps"]).max() < 1e-5
    assert len(shapes) == 6 and all(shape == shapes[0] for shape in shapes)


@pytest.mark.thorough
def test_eight_threads_on_one_explainer_that_was_never_called():
    explainer = build(tss.SmoothGrad, num_samples=4, partition="dynamic")
    other = build(tss.SmoothGrad, num_samples=4, partition="dynamic")
    expected = as_arrays(other(photos(7)))

    def explain(i):
        rows = slice(i % 7, i % 7 + 1)
        return i % 7, as_arrays(explainer(photos(7)[rows]))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(explain, range(24)))
    for i, out in results:
        assert relative_error(out["maps"], expected["maps"][i : i + 1])[0] < 1e-5
        assert out["num_groups"] == expected["num_groups"][i]


class TestWhereXlaIsUsed:
    """XLA makes convolutions slower on a CPU: it is used where it is asked for."""

    @pytest.fixture
    def compilations(self, monkeypatch):
        """The jit_compile of every tf.function that is made."""
        made = []
        original = tf.function

        def recorded(*args, **kwargs):
            if args:  # Keras' convolutions decorate one that they don't call
                made.append(kwargs.get("jit_compile"))
            return original(*args, **kwargs)

        monkeypatch.setattr(tf, "function", recorded)
        return made

    @pytest.mark.cases(1)
    @pytest.mark.parametrize("setting", [None, "auto", False, True])
    def test_call_and_predict(self, compilations, setting):
        explainer = build()
        if setting is not None:
            explainer.compile(jit_compile=setting)
            assert explainer.get_compile_config()["jit_compile"] == setting
        gpu = bool(tf.config.list_physical_devices("GPU"))
        wanted = setting is True or (setting in (None, "auto") and gpu)
        assert explainer.jit_compile is wanted
        explainer(photos(1))
        assert (True in compilations) is wanted
        compilations.clear()
        explainer.predict(photos(1), verbose=0)
        assert (True in compilations) is wanted

    def test_a_new_setting_reaches_a_called_explainer(self, compilations):
        explainer = build()
        explainer(photos(1))
        assert True not in compilations
        explainer.compile(jit_compile=True)
        explainer(photos(1))
        assert True in compilations

    def test_layers_on_the_host_leave_it_aside(self):
        explainer = tss.SimpleGradient(classifier(), tss.Felzenszwalb(scale=50))
        with pytest.warns(UserWarning, match="runs on the host"):
            explainer.compile(jit_compile=True)
        assert explainer.jit_compile is False
        assert explainer(photos(1))["status"].numpy() == 0


@pytest.mark.thorough
def test_several_explainers_are_not_taken_for_retracing(caplog):
    model, images = classifier(), photos(1)
    for seed in range(7):  # TensorFlow warns from the fifth on
        tss.SmoothGrad(model, num_samples=1, seed=seed)(images)
    assert "retracing" not in caplog.text
