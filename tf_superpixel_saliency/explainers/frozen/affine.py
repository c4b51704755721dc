"""The affine layers that a model begins with.

z = A x + b has the same Aᵀ at every x: the gradients at many points of one image can be
added up at z, and Aᵀ, the costly transpose of a convolution at full resolution, is
applied once to their sum.
"""

from __future__ import annotations

import keras

from tf_superpixel_saliency.explainers.frozen.steps import Steps

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
_OTHERS = (
    keras.layers.AveragePooling2D,
    keras.layers.Cropping2D,
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.ZeroPadding2D,
)


def affine_length(steps: Steps) -> int:
    """How many of the first steps are one affine function of the images.

    Returns:
        0 where there is no convolution among them, several inputs, or an input that
        is used further on too.
    """
    if len(steps.inputs) != 1:
        return 0
    uses = steps.uses()
    (current,) = steps.inputs
    length = 0
    for number, step in enumerate(steps.steps, start=1):
        alone = uses[current] == 1 and step.inputs == (current,)
        if not alone or len(step.outputs) != 1:
            break
        if _is_linear_convolution(step.operation):
            length = number  # padding behind the last one gains nothing
        elif type(step.operation) not in _OTHERS:
            break
        (current,) = step.outputs
    return length


def _is_linear_convolution(operation):
    if type(operation) not in _CONVOLUTIONS:
        return False
    return operation.activation is keras.activations.linear
