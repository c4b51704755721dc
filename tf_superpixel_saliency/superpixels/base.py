"""What every super-pixel layer shares: input, output and the export's question."""

from __future__ import annotations

import abc
import warnings

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import groups


class SuperpixelLayer(keras.layers.Layer, abc.ABC):
    """Base of the layers that partition images: `images -> segments`.

    A subclass writes `segment`, which gets float32 images scaled to [0, 1] and
    returns labels of any numbering below H·W; this class checks and scales the
    images before and numbers the groups after.

    Args:
        value_range: (low, high) of the images, scaled to [0, 1] before segmenting,
            as Keras' preprocessing layers say it.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Input shape:
        (N, H, W, C) float or integer, any C of at least 1, in `value_range`.

    Output shape:
        (N, H, W) int32, labels 0…p−1 in raster order of first appearance.
    """

    # True for layers that leave the graph: they can't be exported nor compiled.
    on_host = False

    def __init__(self, value_range=(0, 255), **kwargs):
        kwargs.setdefault("dtype", "float32")
        # Autocast would round images to the half precision of a mixed policy
        # before they are segmented.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.value_range = checked_range(value_range, type(self).__name__)
        self.supports_jit = not self.on_host
        self.built = True

    @abc.abstractmethod
    def segment(self, images: tf.Tensor) -> tf.Tensor:
        """Partition images that are in [0, 1].

        Args:
            images: (N, H, W, C) float32.

        Returns:
            (N, H, W) int32, labels in 0…H·W−1 in any numbering.
        """

    def partition(self, images: tf.Tensor) -> tf.Tensor:
        """Scale, segment and number images.

        For a layer that does so in one go; `segment` is what others write.

        Args:
            images: (N, H, W, C) of any type, in `value_range`.

        Returns:
            (N, H, W) int32, numbered 0…p−1 in raster order.
        """
        low, high = self.value_range
        # In float64, and rounded once: compilers turn a division by 255 into a product
        # with its reciprocal, which in float32 rounds otherwise than NumPy's x / 255
        # does, on which scikit-image's labels depend.
        scaled = (tf.cast(images, tf.float64) - low) / (high - low)
        scaled = tf.cast(scaled, tf.float32)
        return groups.relabel(tf.stop_gradient(self.segment(scaled)))

    def call(self, images):
        """Segment a batch: (N, H, W, C) → (N, H, W) int32."""
        images = tf.convert_to_tensor(images)
        if images.shape.rank != 4:
            raise ValueError(
                f"{type(self).__name__} takes a batch of images of shape "
                f"(N, H, W, C), but got shape {tuple(images.shape)}. Add the axis "
                "that is missing, as in images[None] for one image."
            )
        segments = tf.stop_gradient(self.partition(images))
        return tf.ensure_shape(segments, images.shape[:3])

    def check_range(self, images):
        """Refuse images outside of `value_range`, which would be partitioned wrongly.

        Args:
            images: (N, H, W, C) float32, outside of any graph.

        Raises:
            ValueError: a value is outside of `value_range`.
        """
        low, high = self.value_range
        found = float(tf.reduce_min(images)), float(tf.reduce_max(images))
        slack = 1e-3 * (high - low)  # resampling overshoots a little
        if found[0] < low - slack or found[1] > high + slack:
            raise ValueError(
                f"{type(self).__name__} takes images in value_range={self.value_range}"
                f", but got values from {found[0]:g} to {found[1]:g}. Pass the range "
                "of your images, as in value_range=(-1, 1), or scale them."
            )
        if (low, high) == (0.0, 255.0) and 0 < found[1] <= 1:
            warnings.warn(
                f"The images' values end at {found[1]:g}, which is nearly black in "
                f"value_range={self.value_range}. If they are in [0, 1], say so: "
                f"{type(self).__name__}(value_range=(0, 1)).",
                stacklevel=4,
            )

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[:3])

    def compute_output_spec(self, images):
        return keras.KerasTensor(self.compute_output_shape(images.shape), "int32")

    def get_config(self):
        config = super().get_config()
        config["value_range"] = self.value_range
        return config


def checked_range(value_range, name: str) -> tuple[float, float]:
    """(low, high) as floats, or a ValueError that says who was told it."""
    try:
        low, high = (float(bound) for bound in value_range)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(
            f"{name}: value_range must be two finite numbers, the lower first, such "
            f"as (0, 255) or (0, 1), but got {value_range!r}."
        )
    return low, high
