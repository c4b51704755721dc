"""`chunk_size="auto"`: how many rows, from the sizes of what the network returns."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, classifier, photos, relative_error
from tf_superpixel_saliency.explainers.chunking import (
    Activations,
    Meter,
    checked_chunk_size,
    rows_at_once,
)

MIB = 2**20


@pytest.fixture
def gpu(monkeypatch, request):
    devices = ["a GPU"] if request.param else []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)


@pytest.mark.parametrize(
    "total, largest, on_cpu, on_gpu",
    [
        (64 * MIB, 4 * MIB, 8, 16),  # 32 / 4; 1024 / 64
        (200 * MIB, MIB, 5, 5),  # 1024 / 200 on both
        (MIB, MIB // 4, 64, 256),  # as many as there are ever
        (3000 * MIB, 900 * MIB, 1, 1),  # one at least
        (10 * MIB, 5 * MIB, 6, 102),
    ],
)
@pytest.mark.parametrize("gpu", [False, True], indirect=True)
def test_the_rule(gpu, total, largest, on_cpu, on_gpu):
    found = rows_at_once("auto", Activations(total, largest))
    assert found == (on_gpu if tf.config.list_physical_devices("GPU") else on_cpu)
    assert rows_at_once(7, Activations(total, largest)) == 7


def test_unknown_sizes():
    assert rows_at_once("auto", None) == 32


def network(images):
    """(N, 8, 6, 3) → 8·6·4, 8·6·4 and 4 numbers."""
    features = tf.nn.relu(tf.nn.conv2d(images, tf.ones([1, 1, 3, 4]), 1, "SAME"))
    return tf.reduce_mean(tf.identity(features), [1, 2])


SIZES = Activations(total=4 * (192 + 192 + 4), largest=4 * 192)


@pytest.mark.parametrize("batch", [None, 5])
@pytest.mark.parametrize("function", [network, tf.function(network)])
def test_outputs_are_measured_in_the_graph(function, batch):
    found = []

    @tf.function(input_signature=[tf.TensorSpec((batch, 8, 6, 3))])
    def run(images):
        with Meter(batch) as meter:
            function(images)
        found.append(meter.activations)

    run.get_concrete_function()
    assert found == [SIZES]


def test_half_precision_takes_half():
    found = []

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 6, 3), tf.float16)])
    def run(images):
        with Meter() as meter:
            tf.nn.relu(images)
        found.append(meter.activations)

    run.get_concrete_function()
    assert found == [Activations(2 * 144, 2 * 144)]


def test_eager_execution_tells_nothing():
    with Meter() as meter:
        network(tf.ones([2, 8, 6, 3]))
    assert meter.activations is None


@pytest.fixture(scope="module")
def expected():
    explainer = tss.SmoothGrad(classifier(), num_samples=6, chunk_size=32)
    return as_arrays(explainer(photos(2)))


def test_an_explainer_takes_its_chunks_from_its_model(expected, monkeypatch):
    explainer = tss.SmoothGrad(classifier(), num_samples=6)
    assert explainer.chunk_size == "auto" == explainer.get_config()["chunk_size"]
    rows = []
    monkeypatch.setattr(
        "tf_superpixel_saliency.explainers.chunking._LARGEST_BLOCK", 3 * 4 * 12 * 11 * 3
    )
    original = tss.SmoothGrad.rows_at_once
    monkeypatch.setattr(
        tss.SmoothGrad,
        "rows_at_once",
        lambda self, images: rows.append(original(self, images)) or rows[-1],
    )
    out = as_arrays(explainer(photos(2)))
    # The scaled image, 12×11×3 numbers of 4 bytes, is the largest: three fit.
    assert rows == [3]
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5


@pytest.mark.parametrize(
    "build",
    [
        lambda: tss.RISE(classifier(), num_masks=7, grid=3),
        lambda: tss.LIME(classifier(), tss.SquareGrid(size=4), num_samples=7),
        lambda: tss.ScoreCAM(classifier()),
    ],
    ids=["RISE", "LIME", "ScoreCAM"],
)
def test_methods_that_hide_parts_do_too(build, monkeypatch):
    explainer = build()
    assert explainer.chunk_size == "auto" == explainer.get_config()["chunk_size"]
    module = importlib.import_module(type(explainer).__module__)
    limits, original = [], module.sum_over_samples
    monkeypatch.setattr(
        "tf_superpixel_saliency.explainers.chunking._LARGEST_BLOCK", 3 * 4 * 12 * 11 * 3
    )
    monkeypatch.setattr(
        module,
        "sum_over_samples",
        lambda *args: limits.append(args[-1]) or original(*args),
    )
    explainer(photos(2))
    assert limits == [3]


def test_eager_explainers_work(expected):
    explainer = tss.SmoothGrad(classifier(), num_samples=6)
    explainer.compile(run_eagerly=True)
    out = as_arrays(explainer(photos(2)))
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5


@pytest.mark.parametrize("value", ["most", 0, 1.5, None, True])
def test_bad_values_are_refused(value):
    with pytest.raises(ValueError, match="chunk_size"):
        checked_chunk_size(value)
    assert checked_chunk_size(np.int64(3)) == 3
