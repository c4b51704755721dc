"""Random groups as super-pixels: the control without any neighbourhood."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.superpixels.arguments import whole_number
from tf_superpixel_saliency.superpixels.control import ControlLayer, check_one_given

_MODES = ("iid", "permutation")
# The second word of the random key. Noise counts its samples there from 0 up, so
# a partition never shares its bits with the noise of the same seed.
_STREAM = -1


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class RandomPartition(ControlLayer):
    """Pixels put into groups at random, a control: is it the mean alone that helps?

    Give exactly one of `n_segments` and `like`. The same seed, image size and
    number of groups give the same partition, whatever the batch, the place in it,
    the device and the compiler; with `like` and "permutation" the partition of
    `like` counts too. TensorFlow operations throughout, XLA included, unless `like`
    runs on the host.

    Args:
        n_segments: number of groups p of every image, at least 1.
        like: another super-pixel layer; each image gets as many groups as this
            layer has on it.
        mode: "iid" draws a group for each pixel, uniformly and independently, so
            that of H·W pixels some p·exp(−H·W/p) groups remain empty and don't
            count. "permutation" shuffles labels over the pixels, which keeps
            the sizes: those of the groups of `like`, or else equal ones, ±1 pixel.
        seed: whole number that the partition depends on.
        value_range: (low, high) of the images; that of `like`, or else (0, 255),
            unless given.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Input shape:
        (N, H, W, C) float or integer, any C of at least 1, in `value_range`.

    Output shape:
        (N, H, W) int32, labels 0…p−1 in raster order of first appearance.

    Raises:
        ValueError: if not exactly one of `n_segments` and `like` is given, for
            fewer segments than 1 or more than pixels, for an unknown mode, a seed
            that is no whole number of 64 bits, a `like` that is no super-pixel
            layer, or a `value_range` other than that of `like`.
    """

    def __init__(
        self,
        n_segments=None,
        like=None,
        mode="iid",
        seed=0,
        value_range=None,
        **kwargs,
    ):
        name = type(self).__name__
        check_one_given(name, n_segments=n_segments, like=like)
        if mode not in _MODES:
            raise ValueError(
                f"{name}: mode must be one of {', '.join(map(repr, _MODES))}, but got "
                f"{mode!r}."
            )
        super().__init__(
            n_segments=n_segments, like=like, value_range=value_range, **kwargs
        )
        self.mode = mode
        self.seed = whole_number(name, "seed", seed, tf.int64.min)
        if self.seed > tf.int64.max:
            raise ValueError(
                f"{name}: seed must fit in 64 bits, but got {seed}. Try seed=0."
            )

    def segment(self, images):
        shape = tf.shape(images)[:3]
        pixels = shape[1] * shape[2]
        # One draw for all images: each then has the partition it has alone.
        bits = tf.random.stateless_uniform(
            [pixels],
            seed=tf.constant([self.seed, _STREAM], tf.int64),
            minval=None,
            maxval=None,
            dtype=tf.uint32,
            alg="philox",
        )
        if self.mode == "iid":
            labels = self._independent_labels(images, bits)
        else:
            # Ties keep their order, so the permutation is a function of the bits.
            order = tf.argsort(tf.bitcast(bits, tf.int32), stable=True)
            labels = tf.gather(self._sized_labels(images, pixels), order, axis=1)
        return tf.reshape(labels, shape)

    def _independent_labels(self, images, bits):
        """⌊bits·p / 2³²⌋, exact in 64 bits: (N, H·W) int32 in 0…p−1."""
        counts = tf.cast(self._group_counts(images), tf.int64)[:, None]
        product = tf.cast(bits, tf.int64) * counts
        upper = tf.bitwise.right_shift(product, tf.constant(32, tf.int64))
        return tf.cast(upper, tf.int32)

    def _sized_labels(self, images, pixels):
        """Labels to shuffle, (N, H·W) int32, each as often as its group is large."""
        if self.like is not None:
            return tf.reshape(self.like(images), [-1, pixels])
        counts = tf.cast(self._group_counts(images), tf.int64)[:, None]
        pixels = tf.cast(pixels, tf.int64)
        return tf.cast(tf.range(pixels) * counts // pixels, tf.int32)

    def get_config(self):
        config = super().get_config()
        config.update(mode=self.mode, seed=self.seed)
        return config
