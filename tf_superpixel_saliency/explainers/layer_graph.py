"""Layers inside of a functional or sequential Keras model: found by name, and run."""

from __future__ import annotations

import keras

PAIR_HINT = (
    "Pass layer=(features, head), two functions: images → feature maps (N, h, w, K), "
    "and feature maps → what the model returns."
)


def described(model) -> str:
    """A model in an error: its type and, if it has one, its name."""
    return f"{type(model).__name__} {getattr(model, 'name', '')!r}".strip(" '")


def has_graph(layer) -> bool:
    """Whether a layer is a model of layers that run as its graph says."""
    if not isinstance(layer, keras.Model):
        return False
    if not (isinstance(layer, keras.Sequential) or hasattr(layer, "_nodes_by_depth")):
        return False
    owners = [cls for cls in type(layer).__mro__ if "call" in vars(cls)]
    # No `call` of its own; one that hands all to another model has none at all.
    return bool(owners) and owners[0].__module__.split(".")[0] == "keras"


def is_built(model) -> bool:
    """Whether a Keras model knows its inputs; a Sequential may after its first call."""
    try:
        return bool(model.inputs)
    except (AttributeError, ValueError):
        return False


def _makes_maps(layer, shape):
    if isinstance(layer, keras.layers.Layer):
        if "preprocessing" in type(layer).__module__:  # still the image itself
            return False
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _steps(model):
    """What a model runs and the shape of what that returns, the last step first.

    Layers and bare operations alike; a layer that runs twice comes twice. The shape
    is () where there are several outputs, or none is known.
    """
    if isinstance(model, keras.Sequential):
        for layer in reversed(model.layers):
            yield layer, _shape_of([getattr(layer, "output", None)])
        return
    for depth in sorted(model._nodes_by_depth):
        for node in reversed(model._nodes_by_depth[depth]):
            if not node.is_input:
                yield node.operation, _shape_of(node.outputs)


def _shape_of(outputs):
    return tuple(getattr(outputs[0], "shape", ())) if len(outputs) == 1 else ()


def find_path(model, name: str | None) -> tuple:
    """The layer asked for, after the models that it is inside of, outermost first.

    Args:
        model: of which `has_graph` and `is_built` hold.
        name: a layer's name, "outer/inner" for one of a model inside of it; None for
            the last one that gives feature maps.

    Raises:
        ValueError: no such layer, several of them, or one without feature maps.
    """
    if name is None:
        path = _last_maps(model)
        if path is None:
            raise ValueError(
                f"{described(model)} has no layer with an output of shape (N, h, w, "
                "K), h and w above 1. " + PAIR_HINT
            )
        return path
    steps = list(_paths(model))[::-1]
    found = {id(p[-1]): p for p, _ in steps if name in (_joined(p), p[-1].name)}
    if len(found) > 1:
        raise ValueError(
            f"{len(found)} layers are called {name!r}: say which, as in "
            f"{' or '.join(repr(_joined(p)) for p in found.values())}."
        )
    known = [_joined(p) for p, shape in steps if _makes_maps(p[-1], shape)][-5:]
    if not found:
        raise ValueError(
            f"{described(model)} has no layer {name!r} in reach. Its last ones with "
            f"feature maps are {known}. A layer inside of a subclassed layer is out "
            "of reach. " + PAIR_HINT
        )
    ((key, path),) = found.items()
    shapes = [shape for p, shape in steps if id(p[-1]) == key]
    if not any(len(shape) in (0, 4) for shape in shapes):
        raise ValueError(
            f"The layer {name!r} must give feature maps of shape (N, h, w, K), but "
            f"gives {shapes[-1]}. The last ones that do are {known}."
        )
    return path


def _paths(model):
    """Every step of a model and the models inside of it, as a path, and its shape."""
    for layer, shape in _steps(model):
        yield (layer,), shape
        if has_graph(layer):
            for path, inner in _paths(layer):
                yield (layer, *path), inner


def _joined(path):
    return "/".join(layer.name for layer in path)


def _last_maps(model):
    ends = [tensor._keras_history.operation for tensor in model.outputs]
    for layer, shape in _steps(model):
        # The maps that a model returns are what is explained, not what explains it.
        if _makes_maps(layer, shape) and not any(layer is end for end in ends):
            return (layer,)
        if has_graph(layer):
            path = _last_maps(layer)
            if path:
                return (layer, *path)
        elif isinstance(layer, keras.Model):
            raise ValueError(
                f"The last feature maps may be inside of {described(layer)}, which "
                "does not show its layers. Name a layer before it, if it is meant. "
                + PAIR_HINT
            )
    return None


def run_path(model, path, images, mark):
    """The outputs of a model, `mark` called on those of the last layer of a path.

    Args:
        model: of which `has_graph` holds.
        path: what `find_path` returns.
        images: (N, H, W, C).
        mark: (N, h, w, K) → what the model goes on with; it is not called on outputs
            of another rank, which a layer that runs twice may have.
    """

    def chosen(layer):
        if layer is not path[0]:
            return _in_inference_mode(layer)
        if len(path) > 1:
            return lambda inputs, **_: run_path(layer, path[1:], inputs, mark)

        def call(*args, **kwargs):
            outputs = _in_inference_mode(layer)(*args, **kwargs)
            is_maps = len(getattr(outputs, "shape", ())) == 4
            return mark(outputs) if is_maps else outputs

        return call

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            images = chosen(layer)(images)
        return images
    # As Keras runs it, but for what becomes of one layer's outputs.
    inputs = model._standardize_inputs(images)
    return model._run_through_graph(inputs, chosen)


def _in_inference_mode(layer):
    """A layer as a function; whatever its graph was built with, not in training."""

    def call(*args, **kwargs):
        if "training" in kwargs:
            kwargs["training"] = False
        return layer(*args, **kwargs)

    return call
