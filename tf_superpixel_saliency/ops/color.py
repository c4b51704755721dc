"""Colour conversion in TensorFlow operations."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import powers

# sRGB to CIE XYZ, and the D65 white point of the 2° observer (IEC 61966-2-1, CIE
# 15): the same figures as scikit-image's, so that the super-pixels agree.
_XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE_D65 = (0.95047, 1.0, 1.08883)

# ITU-R 601: how much of each channel a gray photo has, as in Pillow's conversion.
LUMA = (0.299, 0.587, 0.114)

# What Lab's transfer function is applied to, and what follows it, as matrices.
_TRANSFER_FROM_RGB = np.divide(_XYZ_FROM_RGB, np.asarray(_WHITE_D65)[:, None])
_LAB_FROM_TRANSFER = np.array(
    [[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]]
)
_LAB_OFFSET = np.array([[16.0], [0.0], [0.0]])


def in_range(photo, value_range):
    """A photo's 0…255 as low…high.

    Args:
        photo: float32 array or tensor of any shape.
        value_range: (low, high), in which a model takes images.

    Returns:
        float32, array or tensor alike.
    """
    low, high = value_range
    return photo * np.float32((high - low) / 255.0) + np.float32(low)


def rgb_to_lab(images: tf.Tensor, dtype=None) -> tf.Tensor:
    """sRGB to CIE L*a*b* under D65, as `skimage.color.rgb2lab`.

    Args:
        images: (..., 3) float, in [0, 1].
        dtype: type to compute in; that of `images` unless given. float64 keeps the
            rounding below float32's own, which super-pixel ties can feel.

    Returns:
        (..., 3) of that type: L* in [0, 100], a* and b* some −128…127.
    """
    rgb = tf.cast(images, dtype or images.dtype)
    linear = tf.where(
        rgb > 0.04045,
        tf.pow((tf.maximum(rgb, 0.04045) + 0.055) / 1.055, 2.4),
        rgb / 12.92,
    )
    matrix = tf.constant(_TRANSFER_FROM_RGB, rgb.dtype)
    # Three products rather than a matmul: XLA and oneDNN then round alike.
    xyz = tf.stack(
        [tf.reduce_sum(linear * matrix[row], axis=-1) for row in range(3)], axis=-1
    )
    cube_root = tf.pow(tf.maximum(xyz, 0.008856), 1.0 / 3.0)
    f = tf.where(xyz > 0.008856, cube_root, 7.787 * xyz + 16.0 / 116.0)
    x, y, z = tf.unstack(f, axis=-1)
    return tf.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def lab_planes(planes: tf.Tensor) -> tf.Tensor:
    """CIE L*a*b* from sRGB, as `rgb_to_lab`, one plane a channel, fast under XLA.

    Args:
        planes: (3, H, W) float64 in [0, 1].

    Returns:
        (3, H, W) float64, to some 1e-11.
    """
    rgb = tf.reshape(planes, [3, -1])
    bright = (tf.maximum(rgb, 0.04045) + 0.055) / 1.055
    # x^2.4 = (x·x^(−1/5))³, and below the cube root x·(x^(−1/3))².
    bright *= powers.inverse_root(bright, 5)
    bright *= bright * bright
    linear = tf.where(rgb > 0.04045, bright, rgb / 12.92)
    # Matrix products, because XLA fuses nothing into them: sums written out would
    # have it work out the powers of a pixel once for every use.
    xyz = tf.matmul(tf.constant(_TRANSFER_FROM_RGB), linear)
    root = tf.maximum(xyz, 0.008856)
    root *= powers.inverse_root(root, 3) ** 2
    transfer = tf.where(xyz > 0.008856, root, 7.787 * xyz + 16.0 / 116.0)
    lab = tf.matmul(tf.constant(_LAB_FROM_TRANSFER), transfer) - _LAB_OFFSET
    return tf.reshape(lab, tf.shape(planes))
