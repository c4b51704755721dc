"""A model in inference mode, run without what inference does not need."""

from __future__ import annotations

import tensorflow as tf

from tf_superpixel_saliency.explainers.frozen.affine import affine_length
from tf_superpixel_saliency.explainers.frozen.convolutions import geometry
from tf_superpixel_saliency.explainers.frozen.folding import (
    fold_batch_norms,
    is_rewritten,
    run_rewritten,
    weights_of,
)
from tf_superpixel_saliency.explainers.frozen.steps import (
    CannotFreeze,
    graph_of,
    steps_of,
)


class FrozenModel:
    """The same outputs as a Keras model's: batch norms folded, gradients rewritten.

    The model is neither copied nor changed, and its weights are read anew by every
    `prepare`, inside the graph.

    Args:
        model: a built functional or sequential `keras.Model`.

    Raises:
        CannotFreeze: the model's layers can't be seen, or there is nothing to gain.
    """

    def __init__(self, model):
        self._model = model
        self._steps = fold_batch_norms(steps_of(model))
        self.num_folded = sum(step.norm is not None for step in self._steps.steps)
        self._affine = affine_length(self._steps)
        self.num_convolutions = sum(
            is_rewritten(step) and geometry(step.operation) is not None
            for step in self._steps.steps
        )
        if not (self.num_folded or self._affine or self.num_convolutions):
            raise CannotFreeze(
                "no batch norm follows a layer that it could be folded into, and no "
                "convolution has a gradient that is faster as a convolution"
            )

    @property
    def has_affine_start(self) -> bool:
        """Whether the model begins with affine layers: `start`, and the `rest`."""
        return self._affine > 0

    def prepare(self) -> dict:
        """Kernels with the batch norms in them, turned too, for the functions below.

        Made once before a loop over samples, not inside of it.
        """
        return {
            number: weights_of(step)
            for number, step in enumerate(self._steps.steps)
            if is_rewritten(step)
        }

    def start(self, images: tf.Tensor, prepared: dict) -> tf.Tensor:
        """The affine layers at the start alone: (N, H, W, C) → (N, h, w, K)."""
        values = self._run(self._given(images), prepared, 0, self._affine)
        return values[self._start_value()]

    def rest(self, started: tf.Tensor, prepared: dict):
        """What `start` returned → what the model returns."""
        values = {self._start_value(): started}
        return self._returned(self._run(values, prepared, self._affine, None))

    def __call__(self, inputs, prepared: dict):
        """images, or the inputs in the model's own structure → what it returns."""
        return self._returned(self._run(self._given(inputs), prepared, 0, None))

    def _given(self, inputs):
        tensors = graph_of(self._model)._standardize_inputs(inputs)
        return dict(zip(self._steps.inputs, tensors))

    def _start_value(self):
        return self._steps.steps[self._affine - 1].outputs[0]

    def _run(self, values, prepared, first, stop):
        for number, step in list(enumerate(self._steps.steps))[first:stop]:
            if number in prepared:
                outputs = run_rewritten(step, values, prepared[number])
            else:
                outputs = step.run(values)
            values.update(zip(step.outputs, outputs))
        return values

    def _returned(self, values):
        outputs = [values[number] for number in self._steps.outputs]
        return outputs[0] if len(outputs) == 1 else outputs
