"""How many rows go through the network at once where the user doesn't say.

Set by the sizes of what the network's operations return, as the graph tells them, and
by nothing that is timed: the same model and image size give the same chunks.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tf_superpixel_saliency.ops import checks

AUTO = "auto"
# What the operations of a forward pass return, over all rows of a chunk. A gradient
# keeps about as much until it has come back to it.
MEMORY_LIMIT = 2**30
# On a CPU TensorFlow takes its memory from malloc, and glibc asks the system for blocks
# above this size anew each time, which clears them page by page: its largest
# M_MMAP_THRESHOLD. Below, it hands out what the last chunk left.
_LARGEST_BLOCK = 2**25
# Small networks gain nothing by more.
_MOST_ROWS = {"CPU": 64, "GPU": 256}
# Where the graph doesn't tell: a function that calls Python, or eager execution.
_UNKNOWN = 32

# Return what came in under another name or shape, or what is in memory already.
_ALIASES = {
    "EnsureShape",
    "Identity",
    "IdentityN",
    "Placeholder",
    "PreventGradient",
    "ReadVariableOp",
    "Reshape",
    "StopGradient",
}


class Activations(NamedTuple):
    """Bytes that one image takes on its way through a network.

    Attributes:
        total: of all outputs of its operations together.
        largest: of the largest of them.
    """

    total: int
    largest: int


def checked_chunk_size(value) -> int | str:
    """A number of rows of at least 1, or "auto"."""
    if isinstance(value, str):
        return checks.checked_choice("chunk_size", value, (AUTO,))
    return checks.checked_count("chunk_size", value)


def rows_at_once(chunk_size: int | str, activations: Activations | None) -> int:
    """Rows that may go through the network at once.

    "auto" takes as many as keep what the network's operations return below 1 GiB
    together and, on a CPU, each of it below 32 MiB; at most 64 there and 256 on a GPU,
    at least 1.

    Args:
        chunk_size: a number, which is returned, or "auto".
        activations: of one row; None where they aren't known, for 32 rows.
    """
    if chunk_size != AUTO:
        return chunk_size
    if activations is None:
        return _UNKNOWN
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    rows = min(_MOST_ROWS[device], MEMORY_LIMIT // activations.total)
    if device == "CPU":
        rows = min(rows, _LARGEST_BLOCK // activations.largest)
    return max(rows, 1)


class Meter:
    """Measures what is added to the graph that is being traced: a context manager.

    Args:
        batch: how many images go in, None where that is free.

    Attributes:
        activations: after the block what an image takes, None where nothing is known.
    """

    def __init__(self, batch: int | None = None):
        self.activations = None
        self._batches = {None, batch}
        self._graph = None

    def __enter__(self):
        if not tf.executing_eagerly():
            self._graph = tf.compat.v1.get_default_graph()
            self._before = len(self._graph.get_operations())
        return self

    def __exit__(self, *error):
        if self._graph is None or error[0] is not None:
            return
        operations = self._graph.get_operations()[self._before :]
        sizes = list(_sizes(self._graph, operations, self._batches))
        if sizes:
            self.activations = Activations(sum(sizes), max(sizes))


def _sizes(graph, operations, batches):
    """Bytes a row of every output that has a row for each image."""
    for operation in operations:
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            name = operation.get_attr("f").name
            inner = getattr(graph._get_function(name), "graph", None)
            if inner is not None:
                yield from _sizes(inner, inner.get_operations(), batches)
        elif operation.type not in _ALIASES:
            for output in operation.outputs:
                if output.dtype.is_floating and _has_rows(output.shape, batches):
                    yield output.shape[1:].num_elements() * output.dtype.size


def _has_rows(shape, batches):
    """Whether the first side is a batch's, and the others are known."""
    if shape.rank is None or shape.rank < 2 or shape[0] not in batches:
        return False
    return shape[1:].is_fully_defined() and shape[1:].num_elements() > 0
