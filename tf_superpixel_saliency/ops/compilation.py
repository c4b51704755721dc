"""Where XLA compiles a part of a graph by itself, and how to switch that off."""

from __future__ import annotations

import contextlib
import functools
import threading

import tensorflow as tf

_state = threading.local()


@contextlib.contextmanager
def portable_graph():
    """Trace graphs that carry no `jit_compile`, as what is exported needs.

    Holds for the functions traced by this thread inside the `with` block. A
    `tf.function` that was traced before keeps the graph it has: trace a new one.
    """
    before = is_portable()
    _state.portable = True
    try:
        yield
    finally:
        _state.portable = before


def is_portable() -> bool:
    """Whether this thread is inside `portable_graph`."""
    return getattr(_state, "portable", False)


def compiled(function):
    """Compile a function of tensors with XLA, outside `portable_graph` at least.

    TensorFlow's CPU kernels write every intermediate to memory; XLA fuses long
    elementwise chains into one loop, which is many times faster. Inside a function
    that is compiled as a whole, this changes nothing.

    Args:
        function: takes tensors by position, and Python numbers or tuples by
            keyword; works with and without XLA.

    Returns:
        A function that takes the same.
    """
    with_xla = tf.function(
        function, jit_compile=True, autograph=False, reduce_retracing=True
    )

    @functools.wraps(function)
    def call(*args, **kwargs):
        if is_portable():
            return function(*args, **kwargs)
        return with_xla(*args, **kwargs)

    return call


def graph_of_each_setting(function):
    """A graph for eager callers, one `tf.function` for each value of the keywords.

    One for all of them would be right as well, but TensorFlow takes functions that
    are traced often for a mistake, and warns whoever compares several settings.

    Args:
        function: takes tensors by position, and hashable Python values by keyword.

    Returns:
        A function that takes the same, for calls outside of graphs. The graphs of the
        last 64 settings are kept, those of `portable_graph` apart.
    """

    @functools.lru_cache(maxsize=64)
    def graph(portable, settings):
        del portable  # Only keeps the two kinds of graph apart.
        return tf.function(
            functools.partial(function, **dict(settings)),
            autograph=False,
            reduce_retracing=True,
        )

    @functools.wraps(function)
    def call(*tensors, **settings):
        return graph(is_portable(), tuple(sorted(settings.items())))(*tensors)

    return call
