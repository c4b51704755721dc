"""Batch norms folded into the convolutions before them.

In inference mode BatchNormalization is y = s·x + t with s = γ / √(variance + ε) and
t = β − s·mean, one of each a channel. After a convolution, which is linear in its
kernel, s goes into the kernel and t into the bias (Jacob et al., CVPR 2018, §3.2),
and neither the forward nor the backward pass has anything left to do for it.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers.frozen import convolutions
from tf_superpixel_saliency.explainers.frozen.convolutions import geometry
from tf_superpixel_saliency.explainers.frozen.steps import Step, Steps

# Return what they are given, unless the model is being trained.
_DEAD_IN_INFERENCE = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
    keras.layers.ActivityRegularization,
    keras.layers.Identity,
)


def is_rewritten(step: Step) -> bool:
    """Whether a step is run by `run_rewritten`, not by its own layer."""
    if step.norm is not None:
        return True
    return geometry(step.operation) is not None and _is_float32(step.operation)


def weights_of(step: Step) -> tuple:
    """What `run_rewritten` needs, from the weights as they are now."""
    layer = step.operation
    shift = tf.convert_to_tensor(layer.bias) if layer.use_bias else None
    if step.norm is None:
        kernel = tf.convert_to_tensor(_last_kernel(layer))
    else:
        scale, norm_shift = norm_factors(step.norm)
        shift = norm_shift if shift is None else norm_shift + shift * scale
        kernel = _scaled_kernel(layer, scale)
    if geometry(layer) is not None:
        return convolutions.prepared(kernel, shift)
    return kernel, shift


def run_rewritten(step: Step, values: dict, weights: tuple) -> list:
    """The outputs of a step that `is_rewritten`, from the values computed so far."""
    layer = step.operation

    def call(inputs):
        inputs = tf.cast(inputs, tf.float32)
        shape = geometry(layer)
        if shape is None:
            kernel, shift = weights
            data_format = "NCHW" if _is_channels_first(layer) else None
            # bias_add, as TensorFlow fuses it with a convolution.
            outputs = _LINEAR[type(layer)](layer, inputs, kernel)
            return tf.nn.bias_add(outputs, shift, data_format)
        if type(layer) is keras.layers.SeparableConv2D:
            depthwise = tf.convert_to_tensor(layer.depthwise_kernel)
            inputs = keras.ops.depthwise_conv(inputs, depthwise, **_geometry(layer))
        outputs = convolutions.convolution(inputs, weights, shape)
        # Linear where there is a norm.
        return outputs if layer.activation is None else layer.activation(outputs)

    return step.run(values, call)


def fold_batch_norms(steps: Steps) -> Steps:
    """Steps without what does nothing in inference, batch norms folded in.

    A batch norm is folded where it is the only user of a convolution or dense layer
    that has no activation of its own and shares its channel axis, all in float32.
    """
    steps = _without_dead(steps)
    uses = steps.uses()
    makers = {step.outputs[0]: step for step in steps.steps if len(step.outputs) == 1}
    merged = {}
    for step in steps.steps:
        maker = makers.get(step.inputs[0]) if step.inputs else None
        if maker and uses[step.inputs[0]] == 1 and _can_fold(maker, step):
            merged[id(maker)] = maker._replace(
                outputs=step.outputs, norm=step.operation
            )
            merged[id(step)] = None
    changed = [merged.get(id(step), step) for step in steps.steps]
    kept = tuple(step for step in changed if step is not None)
    return steps._replace(steps=kept)


def norm_factors(norm) -> tuple[tf.Tensor, tf.Tensor]:
    """s and t of y = s·x + t, (channels,) float32 each."""
    scale = tf.math.rsqrt(tf.convert_to_tensor(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale = scale * tf.convert_to_tensor(norm.gamma)
    shift = -scale * tf.convert_to_tensor(norm.moving_mean)
    if norm.center:
        shift = shift + tf.convert_to_tensor(norm.beta)
    return scale, shift


def _without_dead(steps):
    """Their outputs become other names of their inputs."""
    same = {}
    kept = []
    for step in steps.steps:
        inputs = tuple(same.get(number, number) for number in step.inputs)
        names = {key: same.get(number, number) for key, number in step.names.items()}
        if type(step.operation) in _DEAD_IN_INFERENCE and _is_float32(step.operation):
            same[step.outputs[0]] = inputs[0]
        else:
            kept.append(step._replace(inputs=inputs, names=names))
    outputs = tuple(same.get(number, number) for number in steps.outputs)
    return steps._replace(steps=tuple(kept), outputs=outputs)


def _can_fold(maker, step):
    layer, norm = maker.operation, step.operation
    if type(norm) is not keras.layers.BatchNormalization or type(layer) not in _LINEAR:
        return False
    if layer.activation is not keras.activations.linear or len(step.inputs) != 1:
        return False
    if not (_is_float32(layer) and _is_float32(norm)):
        return False
    rank = len(step.node.input_tensors[0].shape)
    first = _is_channels_first(layer)
    return norm.axis in ((1, 1 - rank) if first else (-1, rank - 1))


def _is_channels_first(layer):
    return getattr(layer, "data_format", None) == "channels_first"


def _is_float32(layer):
    if getattr(layer, "quantization_mode", None) is not None:
        return False
    return layer.compute_dtype == "float32" and layer.variable_dtype == "float32"


def _last_kernel(layer):
    """The kernel that makes a layer's output channels."""
    if type(layer) is keras.layers.SeparableConv2D:
        return layer.pointwise_kernel
    return layer.kernel


def _scaled_kernel(layer, scale):
    """It, with the factor of each output channel in it."""
    kernel = tf.convert_to_tensor(_last_kernel(layer))
    if type(layer) is keras.layers.DepthwiseConv2D:
        return kernel * tf.reshape(scale, kernel.shape[-2:])
    if type(layer) is keras.layers.Conv2DTranspose:
        return kernel * scale[:, None]
    return kernel * scale


def _geometry(layer):
    """What all convolutions are told beside their kernels."""
    return {
        "strides": layer.strides,
        "padding": layer.padding,
        "data_format": layer.data_format,
        "dilation_rate": layer.dilation_rate,
    }


def _convolution(layer, inputs, kernel):
    return keras.ops.conv(inputs, kernel, **_geometry(layer))


def _depthwise(layer, inputs, kernel):
    return keras.ops.depthwise_conv(inputs, kernel, **_geometry(layer))


def _separable(layer, inputs, kernel):
    depthwise = tf.convert_to_tensor(layer.depthwise_kernel)
    return keras.ops.separable_conv(inputs, depthwise, kernel, **_geometry(layer))


def _transposed(layer, inputs, kernel):
    padding = layer.output_padding
    return keras.ops.conv_transpose(
        inputs, kernel, output_padding=padding, **_geometry(layer)
    )


def _dense(layer, inputs, kernel):
    del layer
    return tf.matmul(inputs, kernel)


_LINEAR = {
    keras.layers.Conv2D: _convolution,
    keras.layers.DepthwiseConv2D: _depthwise,
    keras.layers.SeparableConv2D: _separable,
    keras.layers.Conv2DTranspose: _transposed,
    keras.layers.Dense: _dense,
}
