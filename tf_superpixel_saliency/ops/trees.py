"""Forests given by every node's parent."""

from __future__ import annotations

import tensorflow as tf


def find_roots(parents: tf.Tensor) -> tf.Tensor:
    """The root of every node's tree, by pointer doubling.

    Every step makes each node point to its parent's parent, so that a tree of depth
    d is flat after log2(d) steps, rounded up. Two steps are taken between looks at
    whether anything changed, which cost as much as a step.

    Args:
        parents: (P,) integers in 0…P−1, each node's parent; a root is its own. There
            must be no cycles.

    Returns:
        (P,) of the same type, each node's root.
    """

    def unfinished(_, changed):
        return changed

    def double(nodes, _):
        nodes = tf.gather(nodes, nodes)
        further = tf.gather(nodes, nodes)
        return further, tf.reduce_any(tf.not_equal(further, nodes))

    roots, _ = tf.while_loop(
        unfinished, double, (parents, tf.constant(True)), parallel_iterations=1
    )
    return roots
