"""Writing SavedModels: whole folders, weights once, nothing that needs Python."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import pathlib
import shutil
from collections.abc import Iterator

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers.signatures import Signature


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A folder to write to, moved to `path` at the end, removed where writing fails.

    A move within a folder is one step: a server that watches it sees a whole
    SavedModel or none.

    Args:
        path: the folder to be there in the end; its parents are made.

    Yields:
        An empty folder beside it.

    Raises:
        ValueError: `path` exists.
        OSError: it can't be written.
    """
    path = pathlib.Path(path)
    if path.exists():
        raise ValueError(
            f"{str(path)!r} exists. Choose a new folder: an export is never mixed with "
            "what is there."
        )
    partial = path.with_name(f".partial-{path.name}-{os.getpid()}")
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        partial.mkdir(parents=True)
        yield partial
        _flush(partial)
        _move(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):  # something else is in it by now
                folder.rmdir()
        raise


def _move(partial, path):
    try:
        partial.rename(path)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        raise ValueError(
            f"{str(path)!r} was written by another process meanwhile. Export once more."
        ) from None


def _flush(folder):
    """Have the files on the disk before the move shows them."""
    for file in folder.rglob("*"):
        if file.is_file():
            with open(file, "rb+") as opened:
                os.fsync(opened.fileno())


def write(signatures: list[Signature], folder, resources=(), verbose=False) -> None:
    """Write a SavedModel of some signatures, to be called inside `portable_graph`.

    Args:
        signatures: the first is `serving_default` as well.
        folder: where to, an empty folder.
        resources: what `lookup_tables` found. Weights are found by themselves.
        verbose: print the signatures, as Keras does.

    Raises:
        ValueError: a function calls Python on the host, or nothing owns its tables.
    """
    archive = keras.export.ExportArchive()
    for resource in resources:
        archive.track(resource)
    for name, function, specs in signatures:
        # Without autograph errors keep their own text.
        endpoint = tf.function(function, input_signature=specs, autograph=False)
        traced = endpoint.get_concrete_function()
        refuse_host_operations(traced.graph)
        archive.add_endpoint(name, _thin(function, traced), input_signature=specs)
    with open(os.devnull, "w") as sink:
        quiet = contextlib.redirect_stdout(sink)
        with contextlib.nullcontext() if verbose else quiet, _explained_errors():
            archive.write_out(os.fspath(folder))


def _thin(function, traced):
    """A function for an archive, which traces it twice: let it be short."""

    def call(*args):
        return traced(*args)

    if hasattr(function, "__signature__"):
        call.__signature__ = function.__signature__
    return call


@contextlib.contextmanager
def _explained_errors():
    try:
        yield
    except AssertionError as error:  # TensorFlow's word for it
        if "untracked" not in str(error):
            raise
        raise ValueError(
            "The model uses a table or other resource that can't be exported, as no "
            "object owns it. Make it an attribute of a tf.Module with __call__ or of a "
            "Keras layer, pass that as the model, and have a recent Keras."
        ) from error


def refuse_host_layers(explainer, with_segments=False):
    """Raise where a super-pixel layer leaves the graph: its export would not load.

    Args:
        explainer: an `Explainer`.
        with_segments: whether the caller brings the segments, and the layer is asked
            only where a method segments changed images.

    Raises:
        ValueError: names the layer and what to do.
    """
    if with_segments and not getattr(explainer, "is_dynamic", False):
        return
    for layer in explainer._flatten_layers():
        if getattr(layer, "on_host", False):
            raise ValueError(
                f"{type(layer).__name__} calls scikit-image on the host and can't be "
                "exported: the SavedModel would need this Python process. Use "
                "Quickshift, SLIC or SquareGrid, which are in the graph, or pass "
                "`segments` of your own: tss.export(explainer, path, "
                'segments="input") makes a SavedModel that takes them'
                + (' (not for partition="dynamic").' if with_segments else ".")
            )


def refuse_host_operations(graph):
    """Raise where a graph calls Python: its export would load and then fail."""
    definition = graph.as_graph_def()
    nodes = [definition.node, *(f.node_def for f in definition.library.function)]
    for node in itertools.chain.from_iterable(nodes):
        if node.op in ("PyFunc", "PyFuncStateless", "EagerPyFunc"):
            raise ValueError(
                f"The model calls Python on the host ({node.op} {node.name!r}) and "
                "can't be exported: the SavedModel would need this Python process. "
                "Write that step in TensorFlow operations."
            )


def lookup_tables(model) -> list:
    """The objects of a model that an archive is told of, for their lookup tables.

    Of a Keras model these are its lookup layers, or the tables alone where a layer has
    weights besides: told of those, an archive stores them once more.
    """
    if not isinstance(model, keras.layers.Layer):
        known = isinstance(model, tf.__internal__.tracking.Trackable)
        return [model] if known else []
    found = []
    for layer in model._flatten_layers():
        kind = tf.saved_model.experimental.TrackableResource
        tables = [value for value in vars(layer).values() if isinstance(value, kind)]
        found += [layer] if tables and not layer.variables else tables
    return found
