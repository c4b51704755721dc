"""A model's own variables: an explanation reads them and changes none."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable

import keras
import tensorflow as tf

# Operations that write to a variable, or whose numbers are others at every run.
_WRITES = ("Assign", "ResourceApply", "ResourceScatter", "ScatterNd")
_DRAWS = (
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "TruncatedNormal",
    "Multinomial",
    "StatefulRandomBinomial",
)


class ModelState:
    """Runs a model so that its Keras variables stay what they are.

    Dropout or batch normalisation that is told `training=True`, whatever the caller
    says, and layers that count their calls write to variables. Here each run starts
    from the variables as they are, and what it would write is dropped: an explanation
    is the same the next time, and so is the model. Variables of TensorFlow's own, as
    in tf_keras, are out of reach. Either way a warning says so, once.

    Args:
        model: what `classifier.as_function` takes.

    Raises:
        ValueError: the model has recurrent layers with a state of its own, which
            belongs to the rows of one batch and to no other.
    """

    def __init__(self, model):
        self._layer = model if isinstance(model, keras.layers.Layer) else None
        self._told = False
        if self._layer is not None:
            _refuse_stateful(self._layer)

    def run(self, function: Callable, images: tf.Tensor, **given) -> tf.Tensor:
        """`function(images, **given)`, which runs the model.

        Args:
            function: of the images and the model's further inputs.
            images: (N, H, W, C).
            **given: as the function takes them.
        """
        before = _operations()
        with self._kept(function, images, given) as scope:
            outputs = function(images, **given)
        if not self._told:
            self._warn(scope.written if scope else [], before)
        return outputs

    def _kept(self, function, images, given):
        if self._layer is None:
            return contextlib.nullcontext()  # what a function calls may not be built
        if not _is_built(self._layer):
            _build(function, images, given)
        if _is_built(self._layer):
            return DroppedWrites()
        return contextlib.nullcontext()

    def _warn(self, written, before):
        if written:
            text = (
                "The model writes to its own variables while it answers "
                f"({_few(written)}): a layer is in training mode whatever it is told, "
                "or counts its calls. What it writes is dropped, so that maps stay the "
                "same from run to run, but they explain the model in that mode, and "
                "with batch normalization in it they depend on the other images of "
                "the batch."
            )
        elif found := _unsteady(before):
            text = (
                f"The model writes to variables or draws random numbers while it "
                f"answers ({_few(found)}): the same image may have another map the "
                "next time."
            )
        else:
            return
        self._told = True
        warnings.warn(
            f"{text} Have its `call` hand `training` on to its layers.", stacklevel=2
        )


class DroppedWrites(keras.StatelessScope):
    """Keras variables read as they are; what is written stays in here.

    Attributes:
        written: the paths of the variables.
    """

    def __init__(self):
        super().__init__()
        self.written = []

    def add_update(self, update):
        self.written.append(update[0].path)
        super().add_update(update)


def _refuse_stateful(model):
    names = [
        layer.name
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.RNN) and layer.stateful
    ]
    if names:
        raise ValueError(
            f"The model's layers {_few(names)} are stateful: they carry what they saw "
            "over to the next batch, row by row, so that a map would depend on the "
            "images before. Build the model with stateful=False and give it the same "
            "weights."
        )


def _is_built(model):
    return all(layer.built for layer in model._flatten_layers())


def _build(function, images, given):
    """Have Keras make the layers' variables, which it can't inside `DroppedWrites`."""
    if given or images.shape.rank is None:
        return
    # Where it fails, the call itself fails too, and says why.
    with contextlib.suppress(Exception), tf.init_scope():
        function(keras.KerasTensor((None, *images.shape[1:]), images.dtype.name))


def _operations():
    """How many operations the graph has that is being traced, None where none is."""
    if tf.executing_eagerly():
        return None
    return len(tf.compat.v1.get_default_graph().get_operations())


def _unsteady(before):
    """Operations since then that make the same images have another map."""
    if before is None or tf.executing_eagerly():
        return []
    graph = tf.compat.v1.get_default_graph()
    added = graph.get_operations()[before:]
    names = [one.name for one in added if _is_unsteady(one.type)]
    called = {name for one in added for name in _functions(one.node_def)}
    if called:
        library = {f.signature.name: f for f in graph.as_graph_def().library.function}
        names += _in_functions(called, library)
    return names


def _in_functions(called, library):
    names, seen = [], set()
    while called:
        name = called.pop()
        if name in seen or name not in library:
            continue
        seen.add(name)
        for node in library[name].node_def:
            if _is_unsteady(node.op):
                names.append(node.name)
            called |= _functions(node)
    return names


def _functions(node):
    """Names of the functions that a node calls."""
    return {
        name
        for value in node.attr.values()
        for name in (value.func.name, *(one.name for one in value.list.func))
        if name
    }


def _is_unsteady(kind):
    return kind in _DRAWS or kind.startswith(_WRITES)


def _few(names, most=3):
    names = list(dict.fromkeys(names))
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
