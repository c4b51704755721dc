"""The operations of an explainer's graph, those of nested functions included."""

from typing import NamedTuple

from tensorflow.python.framework import kernels, op_def_registry

from tests.explainers.networks import photos


class Operation(NamedTuple):
    """An operation and where it stands.

    Attributes:
        node: the NodeDef.
        shapes: shapes of its outputs, None where the rank is free.
        in_xla: whether a function around it is compiled by XLA.
        in_loop: whether it is in the body of a loop.
    """

    node: object
    shapes: tuple
    in_xla: bool
    in_loop: bool


def traced(explainer, count=2):
    """The concrete function that a call on `photos(count)` runs, without running it."""
    checked = explainer._checked(photos(count), None, None)
    return explainer._direct.function(explainer, checked).get_concrete_function()


def operations_of(function):
    """All operations that a concrete function reaches."""
    definition = function.graph.as_graph_def(add_shapes=True)
    library = {f.signature.name: f for f in definition.library.function}
    pending = [(definition.node, False, False)]
    seen = set()
    while pending:
        nodes, in_xla, in_loop = pending.pop()
        for node in nodes:
            called = set(_called(node)) & set(library)
            if not called and node.op not in library:
                yield Operation(node, _shapes(node), in_xla, in_loop)
            # A function is called by the name of its operation too.
            for name in called | ({node.op} & set(library)):
                inside = (
                    in_xla or library[name].attr["_XlaMustCompile"].b,
                    in_loop or "While" in node.op,
                )
                if (name, inside) not in seen:
                    seen.add((name, inside))
                    pending.append((library[name].node_def, *inside))


def _called(node):
    for value in list(node.attr.values()):
        yield from (f.name for f in [value.func, *value.list.func] if f.name)


def _shapes(node):
    return tuple(
        None if shape.unknown_rank else tuple(side.size for side in shape.dim)
        for shape in node.attr["_output_shapes"].list.shape
    )


def _all_kernels():
    found = {}
    for kernel in kernels.get_all_registered_kernels().kernel:
        if kernel.device_type in ("GPU", "DEFAULT"):
            found.setdefault(kernel.op, []).append(kernel)
    return found


GPU_KERNELS = _all_kernels()


def gpu_kernels(node):
    """The kernels that a GPU has for an operation with its types."""

    def fits(kernel):
        for constraint in kernel.constraint:
            value = node.attr.get(constraint.name)
            if value is not None:
                types = value.list.type or [value.type]
                if not set(types) <= set(constraint.allowed_values.list.type):
                    return False
        return True

    return [kernel for kernel in GPU_KERNELS.get(node.op, []) if fits(kernel)]


def stays_on_host(operation):
    """Whether a GPU would keep the output of an operation in the host's memory.

    TensorFlow does so with int32, outside of XLA.
    """
    if operation.in_xla or operation.node.op == "Const":
        return False
    definition = op_def_registry.get(operation.node.op)
    outputs = {output.name for output in definition.output_arg}
    found = gpu_kernels(operation.node)
    return bool(found) and all(outputs & set(k.host_memory_arg) for k in found)
