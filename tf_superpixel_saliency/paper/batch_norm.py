"""Batch normalisation that trains faster, by TensorFlow's fused operation.

Keras 3 computes the statistics and the normalisation of a training step in some ten
operations, each of which reads the whole activation. Narrow networks, whose
convolutions are cheap, lose much of a step's time to that on a processor.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.metrics.model_layers import is_batch_norm


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, with `tf.raw_ops.FusedBatchNormV3` in training steps.

    For (N, H, W, C) with channels last. The same function of the same weights, to
    rounding: also the moving variance is of the batch's variance over N·H·W, whereas
    the operation returns it over N·H·W − 1.
    """

    def call(self, inputs, training=None, mask=None):
        # Where nothing is trained, and in float64, which the operation doesn't take.
        if not training or not self.trainable or inputs.dtype == tf.float64:
            return super().call(inputs, training=training, mask=mask)
        nothing = tf.zeros([0])
        result = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=nothing,
            variance=nothing,
            epsilon=self.epsilon,
            is_training=True,
        )
        count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
        variance = result.batch_variance * (count - 1) / count
        self._follow(self.moving_mean, result.batch_mean)
        self._follow(self.moving_variance, variance)
        return result.y

    def _follow(self, moving, of_batch):
        moving.assign(moving * self.momentum + of_batch * (1 - self.momentum))


def with_fused_norms(model: keras.Model) -> keras.Model:
    """The same network for training: its norms fused, its weights copied."""
    return _with_norms(model, FusedBatchNormalization)


def with_plain_norms(model: keras.Model) -> keras.Model:
    """The same network for saving: of Keras' own layers alone, its weights copied."""
    return _with_norms(model, keras.layers.BatchNormalization)


def _with_norms(model, kind):
    def clone(layer):
        made = kind if is_batch_norm(layer) else type(layer)
        return made.from_config(layer.get_config())

    # Without the optimizer, which Keras would clone, and save, with a compiled model.
    bare = keras.Model(model.inputs, model.outputs, name=model.name)
    cloned = keras.models.clone_model(bare, clone_function=clone)
    cloned.set_weights(model.get_weights())
    return cloned
