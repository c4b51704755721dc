"""From a classifier's outputs to the score f_c(x) that is explained.

The paper's f is after the softmax. Its gradient ∇p_c underflows to 0 in float32 where
the softmax is saturated (logit gaps of some 20 and more), so a score is held as an
objective and a factor with ∇f = factor · ∇objective: for a softmax p_c · ∇log p_c,
log p_c from differences of logits, which keeps the digits.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

# Operations that hand a value on as it is.
_PASSING = (
    "Identity",
    "IdentityN",
    "Cast",
    "Squeeze",
    "EnsureShape",
    "PreventGradient",
)
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_LINEAR = ("BiasAdd", "MatMul", "Conv2D", "Einsum")
# Sums and averages are of the kind of what they sum: a layer's bias, an ensemble.
_SUMS = ("AddV2", "Add", "AddN", "Mean", "Sum", "Pack", "RealDiv", "Mul")


class Score(NamedTuple):
    """A score with its gradient in the form factor · ∇objective.

    Attributes:
        value: (N,) float32, f_c(x).
        objective: (N,), what is differentiated.
        factor: (N,) float32, what multiplies that gradient.
        outputs: the model's outputs, (N, classes) for a classifier.
        targets: (N,) int32, the class explained; −1 where a score has none.
    """

    value: tf.Tensor
    objective: tf.Tensor
    factor: tf.Tensor
    outputs: tf.Tensor
    targets: tf.Tensor


def resolve_targets(outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The class to explain: the predicted one where `targets` is −1.

    Args:
        outputs: (N, classes) logits or probabilities.
        targets: (N,) int32, class indices or −1.

    Returns:
        (N,) int32. Classes out of range are returned as they are.
    """
    predicted = tf.argmax(outputs, axis=-1, output_type=tf.int32)
    return tf.where(tf.equal(targets, -1), predicted, targets)


def pick(outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """One class's entry of each row: (N, classes), (N,) → (N,).

    Classes out of range take the nearest one: their images are flagged elsewhere, and
    an index out of range is undefined on a GPU.
    """
    last = tf.shape(outputs)[-1] - 1
    return tf.gather(outputs, tf.clip_by_value(targets, 0, last), axis=1, batch_dims=1)


def softmax_score(logits: tf.Tensor, outputs: tf.Tensor, targets: tf.Tensor) -> Score:
    """p_c with ∇p_c = p_c · ∇log p_c, exact also where the softmax is saturated.

    log p_c = −log(1 + Σ_{j≠c} exp(z_j − z_c)): the sum keeps the small terms which a
    softmax rounds away beside 1.

    Args:
        logits: (N, classes), any float type.
        outputs: (N, classes), the model's outputs, kept for the caller.
        targets: (N,) int32, class indices.
    """
    logits = tf.cast(logits, tf.float32)
    classes = tf.shape(logits)[-1]
    gaps = logits - pick(logits, targets)[:, None]
    is_target = tf.one_hot(targets, classes, on_value=True, off_value=False)
    # A large negative number in place of −∞, whose gradient would be NaN where all
    # is masked (one class).
    others = tf.where(is_target, tf.constant(-1e30, tf.float32), gaps)
    log_probability = -tf.math.softplus(tf.reduce_logsumexp(others, axis=-1))
    probability = tf.exp(tf.stop_gradient(log_probability))
    return Score(probability, log_probability, probability, outputs, targets)


def sigmoid_score(logits: tf.Tensor, outputs: tf.Tensor, targets: tf.Tensor) -> Score:
    """p_c of independent classes, ∇p_c = p_c (1 − p_c) ∇z_c without underflow at 1."""
    logit = tf.cast(pick(logits, targets), tf.float32)
    probability = tf.sigmoid(tf.stop_gradient(logit))
    factor = probability * tf.sigmoid(-tf.stop_gradient(logit))
    return Score(probability, logit, factor, outputs, targets)


def plain_score(scores: tf.Tensor, outputs: tf.Tensor, targets: tf.Tensor) -> Score:
    """A score taken as it is: logits, probabilities of unknown origin, callables."""
    value = tf.cast(tf.stop_gradient(scores), tf.float32)
    return Score(value, scores, tf.ones_like(value), outputs, targets)


class Activation(NamedTuple):
    """How a model's outputs were made.

    Attributes:
        kind: "softmax", "sigmoid", "linear", or "" where it can't be told.
        logits: the softmax's or sigmoid's input, None where it can't be reached.
    """

    kind: str
    logits: tf.Tensor | None


def find_activation(outputs: tf.Tensor) -> Activation:
    """Trace outputs back to the softmax, sigmoid or linear step that made them.

    Works on the operations of the graph being built, and therefore for models of any
    kind: functional, subclassed, functions. Inside a loaded SavedModel the activation
    is seen but its input is out of reach. In eager mode nothing can be told but what
    Keras notes on the tensor.
    """
    noted = getattr(outputs, "_keras_logits", None)
    if noted is not None and noted.shape.rank == outputs.shape.rank:
        kind = "sigmoid" if _op_type(outputs) == "Sigmoid" else "softmax"
        return Activation(kind, noted)
    return _walk(outputs, reachable=True)


def _op_type(tensor):
    return "" if tf.executing_eagerly() else tensor.op.type


def _walk(tensor: tf.Tensor, reachable: bool) -> Activation:
    if not hasattr(tensor, "graph"):  # an eager tensor has no history
        return Activation("", None)
    op = tensor.op
    while op.type in _PASSING:
        tensor = op.inputs[tensor.value_index if op.type == "IdentityN" else 0]
        op = tensor.op
    if op.type in ("Softmax", "Sigmoid"):
        return Activation(op.type.lower(), op.inputs[0] if reachable else None)
    if op.type in _LINEAR:
        return Activation("linear", tensor if reachable else None)
    if op.type in _SUMS:
        # The mean of softmaxes is no softmax: its logits are out of reach.
        return Activation(_walk(op.inputs[0], reachable=False).kind, None)
    if op.type in _CALLS:
        function = op.graph._get_function(op.get_attr("f").name)
        inner = getattr(function, "graph", None)
        if inner is not None:
            return _walk(inner.outputs[tensor.value_index], reachable=False)
    return Activation("", None)
