"""From a classifier's outputs to the score f_c(x) that is explained.

The paper's f is after the softmax. Its gradient ∇p_c underflows to 0 in float32 where
the softmax is saturated (logit gaps of some 20 and more), so a score is held as an
objective and a factor with ∇f = factor · ∇objective: for a softmax p_c (1 − p_c) times
the gradient of the log odds of p_c, which differences of logits give to all digits.
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
    "Reshape",
    "EnsureShape",
    "PreventGradient",
)
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_LINEAR = ("BiasAdd", "MatMul", "Conv2D", "Einsum")
# Sums and averages are of the kind of what they sum: a layer's bias, an ensemble.
_SUMS = ("AddV2", "Add", "AddN", "Mean", "Sum", "Pack", "RealDiv", "Mul", "Sub")
# A product of two values that both depend on the image is neither of them.
_PRODUCTS = ("RealDiv", "Mul")


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
    """p_c with ∇p_c = p_c (1 − p_c) ∇ℓ_c, exact also where the softmax is saturated.

    ℓ_c = z_c − log Σ_{j≠c} exp(z_j) are the log odds of p_c. Unlike log p_c, their
    gradient does not vanish where p_c rounds to 1: what goes back through the network
    keeps its size, and the small factor comes last.

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
    log_odds = -tf.reduce_logsumexp(others, axis=-1)
    probability, factor = _from_log_odds(log_odds)
    return Score(probability, log_odds, factor, outputs, targets)


def sigmoid_score(logits: tf.Tensor, outputs: tf.Tensor, targets: tf.Tensor) -> Score:
    """p_c of independent classes, ∇p_c = p_c (1 − p_c) ∇z_c without underflow at 1."""
    logit = tf.cast(pick(logits, targets), tf.float32)
    probability, factor = _from_log_odds(logit)
    return Score(probability, logit, factor, outputs, targets)


def _from_log_odds(log_odds):
    """p and p (1 − p), each from its own side: 1 − p loses all digits near 1."""
    log_odds = tf.stop_gradient(log_odds)
    probability = tf.sigmoid(log_odds)
    return probability, probability * tf.sigmoid(-log_odds)


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
        return Activation(_noted_kind(outputs, noted), noted)
    found = _walk(outputs, reachable=True)
    if found.logits is not None and found.logits.shape.rank != outputs.shape.rank:
        return Activation(found.kind, None)  # reshaped since: another layout
    return found


def _noted_kind(outputs, logits):
    """Keras notes the logits of softmax and sigmoid alike; only a graph tells which."""
    if not tf.executing_eagerly():
        return "sigmoid" if outputs.op.type == "Sigmoid" else "softmax"
    error = tf.abs(
        tf.cast(outputs, tf.float32) - tf.sigmoid(tf.cast(logits, "float32"))
    )
    return "sigmoid" if float(tf.reduce_max(error)) < 1e-3 else "softmax"


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
        return Activation("linear", None)
    if op.type in _SUMS:
        # The mean of softmaxes is no softmax: its logits are out of reach.
        return Activation(_kind_of_sum(op), None)
    if op.type in _CALLS:
        function = op.graph._get_function(op.get_attr("f").name)
        inner = getattr(function, "graph", None)
        if inner is not None:
            return _walk(inner.outputs[tensor.value_index], reachable=False)
    return Activation("", None)


def _kind_of_sum(op):
    """The kind that all terms share, constants and weights aside; "" for a mixture."""
    terms = [term for term in op.inputs if not _is_constant(term)]
    if op.type in _PRODUCTS and len(terms) > 1:
        return ""
    kinds = {_walk(term, reachable=False).kind for term in terms}
    return kinds.pop() if len(kinds) == 1 else ""


def _is_constant(tensor, depth=8):
    """Whether a tensor is made of constants and weights alone, as far as is seen."""
    op = tensor.op
    if op.type in ("Const", "ReadVariableOp"):
        return True
    if not op.inputs or depth == 0:
        return False
    return all(_is_constant(source, depth - 1) for source in op.inputs)
