"""Lab planes in float64, for the compiled segmentation."""

from __future__ import annotations

import tensorflow as tf

from tf_superpixel_saliency.ops import color
from tf_superpixel_saliency.superpixels import _quickshift_powers as powers


def lab_planes(image: tf.Tensor) -> tf.Tensor:
    """CIE L*a*b* from sRGB, as `ops.color.rgb_to_lab`, one plane a channel.

    Args:
        image: (3, H, W) float64 in [0, 1].

    Returns:
        (3, H, W) float64.
    """
    lowest = 0.04045
    bright = powers.power((tf.maximum(image, lowest) + 0.055) / 1.055, 2.4)
    linear = tf.where(image > lowest, bright, image / 12.92)

    def transfer(row, white):
        r, g, b = color._XYZ_FROM_RGB[row]
        t = (linear[0] * r + linear[1] * g + linear[2] * b) / white
        root = powers.power(tf.maximum(t, 0.008856), 1.0 / 3.0)
        return tf.where(t > 0.008856, root, 7.787 * t + 16.0 / 116.0)

    x, y, z = (transfer(row, white) for row, white in enumerate(color._WHITE_D65))
    return tf.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)])
