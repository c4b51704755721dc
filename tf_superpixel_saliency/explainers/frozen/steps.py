"""A Keras model as a flat list of steps, models inside of it taken apart."""

from __future__ import annotations

from typing import NamedTuple

import keras

from tf_superpixel_saliency.explainers.layer_graph import (
    described,
    has_graph,
    is_built,
)


class CannotFreeze(Exception):
    """Why a model has to be run as it is; the text is meant for the user."""


class Step(NamedTuple):
    """One operation of a model, run once.

    Attributes:
        operation: a Keras layer or operation.
        node: the Keras node, which knows the other arguments of the call.
        names: id of a Keras tensor → number of the value, for the node's inputs.
        inputs: numbers of the values that go in, each once for each use.
        outputs: numbers of the values that come out.
        norm: the batch norm that is folded into the operation, if any.
    """

    operation: object
    node: object
    names: dict
    inputs: tuple
    outputs: tuple
    norm: object = None

    def run(self, values: dict, operation=None):
        """The outputs, a list, from the values computed so far.

        Args:
            values: number → tensor.
            operation: a function to call in place of the step's own operation.
        """
        known = {key: values[number] for key, number in self.names.items()}
        args, kwargs = self.node.arguments.fill_in(known)
        if operation is not None:
            return keras.tree.flatten(operation(*args))
        if getattr(self.operation, "_call_has_training_arg", False):
            kwargs["training"] = False
        return keras.tree.flatten(self.operation(*args, **kwargs))


class Steps(NamedTuple):
    """A model as steps.

    Attributes:
        steps: in an order in which they can be run.
        inputs: numbers of the values of the model's inputs.
        outputs: numbers of the values that the model returns.
    """

    steps: tuple
    inputs: tuple
    outputs: tuple

    def uses(self) -> dict:
        """Number of a value → how often it is used, as the model's output too."""
        counts = dict.fromkeys(self.inputs, 0)
        for step in self.steps:
            counts.update(dict.fromkeys(step.outputs, 0))
        for step in self.steps:
            for number in step.inputs:
                counts[number] += 1
        for number in self.outputs:
            counts[number] += 1
        return counts


def steps_of(model) -> Steps:
    """Take a functional or sequential model apart.

    Args:
        model: a built `keras.Model` without a `call` of its own.

    Raises:
        CannotFreeze: any other model.
    """
    if not has_graph(model):
        raise CannotFreeze(
            f"{described(model)} does not show its layers: only functional and "
            "sequential Keras models do"
        )
    if not is_built(model):
        raise CannotFreeze(f"{described(model)} was never built")
    taker = _Taker()
    inputs = tuple(taker.new_value() for _ in model.inputs)
    outputs = taker.take(model, inputs)
    return Steps(tuple(taker.steps), inputs, outputs)


def graph_of(model):
    """The functional model that runs a model: itself, or what a Sequential holds."""
    return getattr(model, "_functional", None) or model


class _Taker:
    """Collects steps; every call of a model inside gets values of its own."""

    def __init__(self):
        self.steps = []
        self._count = 0

    def new_value(self):
        self._count += 1
        return self._count - 1

    def take(self, model, inputs):
        graph = graph_of(model)
        names = {id(tensor): value for tensor, value in zip(graph.inputs, inputs)}
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if not node.is_input:
                    self._take_node(node, names)
        return tuple(names[id(tensor)] for tensor in graph.outputs)

    def _take_node(self, node, names):
        tensors = node.input_tensors
        inputs = tuple(names[id(tensor)] for tensor in tensors)
        if self._can_open(node.operation, tensors):
            outputs = self.take(node.operation, inputs)
        else:
            outputs = tuple(self.new_value() for _ in node.outputs)
            known = {id(tensor): names[id(tensor)] for tensor in tensors}
            self.steps.append(Step(node.operation, node, known, inputs, outputs))
        names.update({id(t): value for t, value in zip(node.outputs, outputs)})

    @staticmethod
    def _can_open(operation, tensors):
        """Whether a model inside can be run layer by layer, as nothing is converted."""
        if not has_graph(operation) or not is_built(operation):
            return False
        shapes = [(len(t.shape), t.dtype) for t in operation.inputs]
        return shapes == [(len(t.shape), t.dtype) for t in tensors]
