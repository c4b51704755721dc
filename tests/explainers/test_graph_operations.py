"""What an explanation's graph is made of: nothing that a GPU or XLA would stop at."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, classifier, photos, relative_error
from tests.explainers.operations import (
    GPU_KERNELS,
    gpu_kernels,
    operations_of,
    stays_on_host,
    traced,
)

EXPLAINERS = {
    "simple, quickshift": lambda: tss.SimpleGradient(classifier(), tss.Quickshift()),
    "smooth, dynamic, slic": lambda: tss.SmoothGrad(
        classifier(), tss.SLIC(n_segments=9), num_samples=3, partition="dynamic"
    ),
    "integrated, adaptive, grid": lambda: tss.IntegratedGradients(
        classifier(), tss.SquareGrid(3), 5, quadrature="adaptive", baseline="blur"
    ),
    "sparsified, random": lambda: tss.SparsifiedSmoothGrad(
        classifier(),
        tss.RandomPartition(9),
        num_samples=3,
        order="sparsify_last",
        relaxed=True,
    ),
}
CALLS_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
PRINTS_OR_STOPS = {"Print", "PrintV2", "Assert", "StringFormat", "DebugIdentityV3"}
# Their output's shape is set by the values that come in.
SIZED_BY_VALUES = {
    "DynamicPartition",
    "NonMaxSuppressionV3",
    "Unique",
    "UniqueV2",
    "UniqueWithCounts",
    "Where",
}
PLACES = {"Placeholder"}  # of a function's arguments
SIZE = (12, 11)


@functools.cache
def graph(name):
    function = traced(EXPLAINERS[name]())
    return function, tuple(operations_of(function))


@pytest.fixture(params=EXPLAINERS)
def name(request):
    return request.param


def names(operations):
    return {operation.node.op for operation in operations} - PLACES


def host_calls(operations):
    return names(operations) & (CALLS_PYTHON | PRINTS_OR_STOPS)


@pytest.mark.cases(1)
def test_nothing_leaves_the_graph(name):
    assert not host_calls(graph(name)[1])


def test_every_operation_has_a_kernel_under_xla(name):
    xla = pytest.importorskip("tensorflow.python.util.pywrap_xla_ops")
    known = set(xla.get_gpu_kernel_names()) & set(xla.get_cpu_kernel_names())
    assert "Conv2D" in known and not known & CALLS_PYTHON
    assert not names(graph(name)[1]) - known


@pytest.mark.skipif("Conv2D" not in GPU_KERNELS, reason="TensorFlow without CUDA")
def test_every_operation_has_a_kernel_on_a_gpu(name):
    lacking = {
        operation.node.op
        for operation in graph(name)[1]
        if operation.node.op not in PLACES and not gpu_kernels(operation.node)
    }
    assert not lacking


def test_shapes_are_known_but_for_the_batch(name):
    function, operations = graph(name)
    assert not names(operations) & SIZED_BY_VALUES
    outputs = function.structured_outputs
    assert outputs["maps"].shape.as_list() == [None, *SIZE, 3]
    assert outputs["heatmaps"].shape.as_list() == [None, *SIZE]
    assert outputs["segments"].shape.as_list() == [None, *SIZE]
    for key in set(outputs) - {"maps", "heatmaps", "segments"}:
        assert outputs[key].shape.as_list()[1:] in (
            [],
            [*SIZE, 3],
        ), key


def image_sized(operation):
    return any(
        shape is None or (len(shape) > 2 and set(SIZE) <= set(shape))
        for shape in operation.shapes
    )


@pytest.mark.skipif("Conv2D" not in GPU_KERNELS, reason="TensorFlow without CUDA")
def test_a_loop_over_samples_moves_no_image_to_the_host():
    operations = graph("integrated, adaptive, grid")[1]
    loops = [operation for operation in operations if operation.in_loop]
    assert any(image_sized(operation) for operation in loops)
    moved = [o for o in loops if image_sized(o) and stays_on_host(o)]
    # An image's int32 segments are, which TensorFlow keeps there: what is looked for
    # can be seen. No numbers are.
    assert moved
    assert {tf.as_dtype(o.node.attr["T"].type) for o in moved} == {tf.int32}


def printing(images):
    tf.print(tf.shape(images))
    return tf.reduce_mean(images, [1, 2])


@pytest.mark.parametrize(
    "model, superpixels, found",
    [
        (printing, None, "PrintV2"),
        (lambda x: tf.reduce_mean(x, [1, 2]), tss.Felzenszwalb, "PyFuncStateless"),
    ],
    ids=["model that prints", "super-pixels on the host"],
)
def test_what_leaves_the_graph_is_seen(model, superpixels, found):
    layer = None if superpixels is None else superpixels()
    explainer = tss.SmoothGrad(model, layer, 2, score="logit", model_output="logit")
    assert found in host_calls(operations_of(traced(explainer)))


def test_quickshift_in_a_loop_over_noise_gives_the_same_maps_under_xla():
    def explained(jit_compile):
        explainer = tss.SmoothGrad(
            classifier(), tss.Quickshift(), num_samples=2, partition="dynamic"
        )
        explainer.compile(jit_compile=jit_compile)
        return as_arrays(explainer(photos(1)))

    out, expected = explained(True), explained(False)
    assert relative_error(out["maps"], expected["maps"])[0] < 1e-5
    for key in ("segments", "targets", "status", "num_groups"):
        np.testing.assert_array_equal(out[key], expected[key])
