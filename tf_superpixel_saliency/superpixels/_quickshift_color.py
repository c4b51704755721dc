"""Lab planes in float64, for the compiled segmentation."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import color
from tf_superpixel_saliency.superpixels import _quickshift_powers as powers

_TRANSFER_FROM_RGB = np.divide(
    color._XYZ_FROM_RGB, np.asarray(color._WHITE_D65)[:, None]
)
_LAB_FROM_TRANSFER = np.array(
    [[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]]
)
_LAB_OFFSET = np.array([[16.0], [0.0], [0.0]])


def lab_planes(planes: tf.Tensor) -> tf.Tensor:
    """CIE L*a*b* from sRGB, as `ops.color.rgb_to_lab`, one plane a channel.

    Args:
        planes: (3, H, W) float64 in [0, 1].

    Returns:
        (3, H, W) float64, to some 1e-11.
    """
    rgb = tf.reshape(planes, [3, -1])
    bright = powers.power((tf.maximum(rgb, 0.04045) + 0.055) / 1.055, 2.4)
    linear = tf.where(rgb > 0.04045, bright, rgb / 12.92)
    # Matrix products, because XLA fuses nothing into them: sums written out would
    # have it work out the powers of a pixel once for every use.
    xyz = tf.matmul(tf.constant(_TRANSFER_FROM_RGB), linear)
    root = powers.power(tf.maximum(xyz, 0.008856), 1.0 / 3.0)
    transfer = tf.where(xyz > 0.008856, root, 7.787 * xyz + 16.0 / 116.0)
    lab = tf.matmul(tf.constant(_LAB_FROM_TRANSFER), transfer) - _LAB_OFFSET
    return tf.reshape(lab, tf.shape(planes))
