"""Explainers answer again where a chunk takes much memory.

TensorFlow's graph optimiser then adds up three tensors of known shape in a temporary
variable. A loop whose own state is among them creates it once more at its end, where
nothing destroys it: the first call is right, and the second one finds it and fails.
"""

import keras
import numpy as np
import pytest
from tensorflow.python.eager import context

import tf_superpixel_saliency as tss

SIZE, CHUNK = 32, 128


@pytest.fixture(scope="module")
def wide_network():
    """Feature maps of 32 MiB at the chunk size, four of them."""
    inputs = x = keras.Input((SIZE, SIZE, 3))
    for _ in range(4):
        x = keras.layers.ReLU(6)(keras.layers.Conv2D(64, 1)(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


EXPLAINERS = {
    "SmoothGrad": lambda m, **kw: tss.SmoothGrad(m, num_samples=300, **kw),
    "SmoothGrad, dynamic": lambda m, **kw: tss.SmoothGrad(
        m, num_samples=300, partition="dynamic", **kw
    ),
    "SmoothGrad, tolerance": lambda m, **kw: tss.SmoothGrad(m, tolerance=0.1, **kw),
    "SparsifiedSmoothGrad": lambda m, **kw: tss.SparsifiedSmoothGrad(
        m, num_samples=300, **kw
    ),
    "IntegratedGradients": lambda m, **kw: tss.IntegratedGradients(
        m, num_steps=264, **kw
    ),
    "IntegratedGradients, dynamic": lambda m, **kw: tss.IntegratedGradients(
        m, num_steps=264, partition="dynamic", **kw
    ),
    "IntegratedGradients, tolerance": lambda m, **kw: tss.IntegratedGradients(
        m, tolerance=0.01, **kw
    ),
}


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", EXPLAINERS)
def test_answers_again(wide_network, name):
    layer = tss.SquareGrid(8, value_range=(0, 1))
    explainer = EXPLAINERS[name](wide_network, superpixels=layer, chunk_size=CHUNK)
    images = np.random.default_rng(0).random((1, SIZE, SIZE, 3)).astype("float32")

    context.enable_run_metadata()
    try:
        first = explainer(images)
        graphs = context.export_run_metadata().function_graphs
    finally:
        context.disable_run_metadata()
    assert graphs

    again = explainer(images)
    np.testing.assert_array_equal(first["maps"], again["maps"])
    assert temporary_variables_of_loops(graphs) == []


def temporary_variables_of_loops(graphs):
    """Names of those that are created whenever a loop's state is looked at."""
    found = []
    for graph in graphs:
        nodes = {node.name: node for node in graph.post_optimization_graph.node}
        for node in nodes.values():
            sources = [nodes.get(name.lstrip("^")) for name in node.input]
            if node.op == "TemporaryVariable" and any(
                source is not None and source.op == "Switch" for source in sources
            ):
                found.append(node.name)
    return found
