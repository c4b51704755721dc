"""The score f_c(x) of a model: what an explainer differentiates."""

from __future__ import annotations

import contextlib
import contextvars

import tensorflow as tf

from tf_superpixel_saliency.explainers import classifier, model_inputs
from tf_superpixel_saliency.explainers.chunking import Meter, rows_at_once
from tf_superpixel_saliency.explainers.frozen.freezing import Freezer
from tf_superpixel_saliency.explainers.state import ModelState
from tf_superpixel_saliency.ops import gradients, scores
from tf_superpixel_saliency.ops.scores import Score

SCORES = ("probability", "logit")
MODEL_OUTPUTS = ("auto", "probability", "logit")

# The further inputs of the batch that is explained. Methods pass rows of images and
# targets about, in loops and chunks; what belongs to the batch as a whole stays here,
# in the one context that a graph is traced in.
_GIVEN: contextvars.ContextVar[dict | None] = contextvars.ContextVar(
    "inputs", default=None
)


# The frozen model that this context runs, with its folded weights, which are made once
# before all loops over samples: (scorer, FrozenModel, weights).
_FROZEN: contextvars.ContextVar[tuple | None] = contextvars.ContextVar(
    "frozen", default=None
)


@contextlib.contextmanager
def given_inputs(inputs: dict | None):
    """Score inside with a model's further inputs, {name: (N, …)}."""
    token = _GIVEN.set(inputs)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def inputs_given() -> dict:
    """The further inputs of the batch that is scored here."""
    return _GIVEN.get() or {}


class Scorer:
    """A model's score and its gradient.

    Args:
        model: what `classifier.as_function` takes.
        score: "probability", "logit", or a callable (outputs, targets) → (N,).
        model_output: what the model returns; "auto" finds it out.
        preprocess: pictures → what the model eats, or None where that is the same.
        fold_batch_norms: whether to run the model frozen, where that can be done.
    """

    def __init__(
        self, model, score, model_output, preprocess=None, fold_batch_norms=True
    ):
        if not callable(score) and score not in SCORES:
            raise ValueError(
                f"score must be one of {SCORES} or a callable (outputs, targets) → "
                f"(N,), but got {score!r}."
            )
        if model_output not in MODEL_OUTPUTS:
            raise ValueError(
                f"model_output must be one of {MODEL_OUTPUTS}, but got "
                f"{model_output!r}."
            )
        if preprocess is not None and not callable(preprocess):
            raise TypeError(
                "preprocess must be a function or Keras layer, pictures (N, H, W, C) → "
                f"what the model eats, or None, but got {preprocess!r}."
            )
        model_inputs.check_image_dtype(model)
        self.score = score
        self._preprocess = (
            None if preprocess is None else classifier.as_function(preprocess)
        )
        self.model_output = model_output
        self.half = classifier.uses_float16(model)
        self._function = classifier.as_function(model)
        self._state = ModelState(model)
        self._model = model
        self.freezer = Freezer(model, fold_batch_norms)
        self._activations = {}

    @contextlib.contextmanager
    def frozen(self, images: tf.Tensor):
        """Score inside by the frozen model, where there is one.

        Args:
            images: (N, H, W, C), whose size it is tried with.
        """
        model = self.freezer.frozen(tuple(images.shape[1:3]))
        if model is None:
            yield
            return
        token = _FROZEN.set((self, model, model.prepare()))
        try:
            yield
        finally:
            _FROZEN.reset(token)

    def _active(self):
        active = _FROZEN.get()
        return active[1:] if active is not None and active[0] is self else None

    def prepared(self, images: tf.Tensor) -> tf.Tensor:
        """Pictures (N, H, W, C) as the model eats them, (N, H, W, C') float32."""
        if self._preprocess is None:
            return images
        try:
            prepared = self._preprocess(images)
        except NotImplementedError as error:  # NumPy was given a symbolic tensor
            raise TypeError(
                "preprocess must be written in TensorFlow or Keras operations, since "
                f"it is part of the graph, but calls NumPy: {error}"
            ) from error
        prepared = tf.cast(prepared, tf.float32)
        if prepared.shape.rank != 4 or not prepared.shape[:3].is_compatible_with(
            images.shape[:3]
        ):
            raise ValueError(
                "preprocess must keep the batch and the size of the pictures, so that "
                "a pixel of one is a pixel of the other, but made "
                f"{tuple(prepared.shape)} of {tuple(images.shape)}. Resize the "
                "pictures before they are explained."
            )
        return tf.ensure_shape(prepared, [*images.shape[:3], prepared.shape[3]])

    def is_affine(self, first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        """Whether `prepared` is affine between pictures (N, H, W, C), () bool."""
        if self._preprocess is None:
            return tf.constant(True)
        ends = self.prepared(first), self.prepared(last)
        bend = self.prepared(0.5 * (first + last)) - 0.5 * (ends[0] + ends[1])
        way = tf.reduce_max(tf.abs(ends[1] - ends[0]))
        return tf.reduce_max(tf.abs(bend)) <= 1e-3 * way

    def evaluate(self, images: tf.Tensor, targets: tf.Tensor) -> Score:
        """The score at pictures (N, H, W, C) for `targets` (N,), −1: predicted."""
        return self._evaluate(self.prepared(images), targets)

    def further_inputs(self, images: tf.Tensor) -> dict:
        """The batch's further inputs, repeated for k·N rows of images."""
        rows = tf.shape(images)[0]
        return {name: _repeated(value, rows) for name, value in inputs_given().items()}

    def rows_at_once(self, chunk_size: int | str, images: tf.Tensor) -> int:
        """Rows that may go through the model at once, at a size that was scored.

        Args:
            chunk_size: a number or "auto", as in `chunking.rows_at_once`.
            images: (N, H, W, C) pictures of the size.
        """
        size = tuple(images.shape[1:3])
        return rows_at_once(chunk_size, self._activations.get(size))

    def _outputs(self, prepared):
        with Meter(prepared.shape[0]) as meter:
            outputs = self._model_outputs(prepared)
        size = tuple(prepared.shape[1:3])
        if meter.activations is not None:
            self._activations.setdefault(size, meter.activations)
        return outputs

    def _model_outputs(self, prepared):
        given = self.further_inputs(prepared)
        active = self._active()
        if active is None:
            return self._state.run(self._function, prepared, **given)
        model, weights = active

        def call(images, **given):
            inputs = model_inputs.arranged(self._model, images, given)
            return classifier.in_inference(inputs, lambda x: model(x, weights))

        return self._state.run(call, prepared, **given)

    def start(self, images: tf.Tensor) -> tf.Tensor:
        """What the affine layers that the model begins with make of pictures.

        (N, H, W, C) → (N, h, w, K), or as the model eats them where it has no such
        layers.
        """
        return self._started(self.prepared(images))

    def start_gradient(self, images, targets) -> tuple[tf.Tensor, Score]:
        """The gradient at pictures, in what `start` makes of them, and the score.

        Args:
            images: (N, H, W, C) pictures.
            targets: (N,) int32, resolved.

        Returns:
            (N, h, w, K) float32, of which the sum of many is the gradient of the sum
            in these units: `back_to_images` takes it to what the model eats. And the
            score there.
        """

        def evaluate(started):
            if not self._has_affine_start():
                return self._evaluate(started, targets)
            model, weights = self._active()

            def rest(started):
                return classifier.in_inference(
                    started, lambda x: model.rest(x, weights)
                )

            return self._scored(self._state.run(rest, started), targets)

        return gradients.input_gradient(evaluate, self.start(images), self.half)

    def back_to_images(self, images: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        """Sums of `start_gradient`, (N, h, w, K) → (N, H, W, C'), at any images."""
        if not self._has_affine_start():
            return total
        return gradients.pull_back(self._started, self.prepared(images), total)

    def _has_affine_start(self):
        active = self._active()
        return active is not None and active[0].has_affine_start

    def _started(self, prepared):
        if not self._has_affine_start():
            return prepared
        model, weights = self._active()
        return classifier.in_inference(prepared, lambda x: model.start(x, weights))

    def _evaluate(self, prepared, targets):
        return self._scored(self._outputs(prepared), targets)

    def _scored(self, outputs, targets):
        if callable(self.score):
            return self._custom(outputs, targets)
        if outputs.shape.rank != 2:
            raise ValueError(
                "The model must return one row of class scores an image, shape (N, "
                f"classes), but it returns {tuple(outputs.shape)}. Pass "
                "score=<callable (outputs, targets) → (N,)> to say what is explained, "
                "as for segmentation or regression."
            )
        activation = scores.find_activation(outputs)
        kind = self._output_kind(activation)
        targets = scores.resolve_targets(outputs, targets)
        if self.score == "logit":
            return self._logit(outputs, targets, kind, activation)
        return self._probability(outputs, targets, kind, activation)

    def gradient(self, images, targets) -> tuple[tf.Tensor, Score]:
        """The gradient at pictures, in what the model eats, and the score there.

        Args:
            images: (N, H, W, C) pictures.
            targets: (N,) int32, −1 for the predicted class.

        Returns:
            (N, H, W, C') float32, and the score.
        """
        return gradients.input_gradient(
            lambda x: self._evaluate(x, targets), self.prepared(images), self.half
        )

    def probabilities(self, images: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) → (N, classes) float32: the softmax of logits where needed.

        Raises:
            ValueError: it can't be told whether the model returns probabilities or
                logits, or its outputs are no rows of class scores.
        """
        outputs = self._outputs(self.prepared(images))
        if outputs.shape.rank != 2:
            raise ValueError(
                "The model must return one row of class scores an image, shape (N, "
                f"classes), but it returns {tuple(outputs.shape)}."
            )
        kind = self._output_kind(scores.find_activation(outputs))
        outputs = tf.cast(outputs, tf.float32)
        return tf.nn.softmax(outputs) if kind == "logit" else outputs

    def _custom(self, outputs, targets):
        if outputs.shape.rank == 2:
            targets = scores.resolve_targets(outputs, targets)
        value = tf.convert_to_tensor(self.score(outputs, targets))
        if value.shape.rank != 1:
            raise ValueError(
                "score must return one number an image, shape (N,), but returned "
                f"{tuple(value.shape)} for outputs {tuple(outputs.shape)}."
            )
        return scores.plain_score(value, outputs, targets)

    def _output_kind(self, activation):
        if self.model_output != "auto":
            return self.model_output
        if activation.kind in ("softmax", "sigmoid"):
            return "probability"
        if activation.kind == "linear":
            return "logit"
        raise ValueError(
            "Can't tell whether the model returns probabilities or logits: its last "
            "operation is no softmax, sigmoid or linear layer that can be seen. Say "
            'so with model_output="probability" or model_output="logit".'
        )

    def _probability(self, outputs, targets, kind, activation):
        if kind == "logit":
            if outputs.shape[-1] == 1:
                raise ValueError(
                    "The model returns one logit, whose softmax is always 1. Pass "
                    'score="logit", or a model that ends in a sigmoid.'
                )
            return scores.softmax_score(outputs, outputs, targets)
        if activation.logits is not None and activation.kind == "softmax":
            return scores.softmax_score(activation.logits, outputs, targets)
        if activation.logits is not None and activation.kind == "sigmoid":
            return scores.sigmoid_score(activation.logits, outputs, targets)
        return scores.plain_score(scores.pick(outputs, targets), outputs, targets)

    def _logit(self, outputs, targets, kind, activation):
        if kind == "probability":
            if activation.logits is None:
                raise ValueError(
                    'score="logit" needs the values before the softmax, which are out '
                    "of reach in this model. Pass a model that ends in logits, or "
                    'score="probability".'
                )
            outputs_or_logits = activation.logits
        else:
            outputs_or_logits = outputs
        return scores.plain_score(
            scores.pick(outputs_or_logits, targets), outputs, targets
        )


def _repeated(values, rows):
    """(N, …) → (k·N, …): rows of samples are copies of the batch, one after another."""
    count = rows // tf.shape(values)[0]
    return tf.tile(values, [count, *[1] * (values.shape.rank - 1)])
