"""What the super-pixel layers that call scikit-image on the host share."""

from __future__ import annotations

import abc
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import groups
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer


class HostSuperpixelLayer(SuperpixelLayer):
    """Base of the layers that leave the graph to segment on the host.

    The images of a batch are partitioned in parallel threads. The layer works
    eagerly, in a `tf.function`, under `predict` and in `tf.data` pipelines, but
    `on_host` is True: XLA can't compile it (`supports_jit` is False, so that Keras
    doesn't try), and a SavedModel that holds it fails in any other process. Keras'
    own export has no hook in which to refuse; ours asks for `on_host`.

    Args:
        value_range: (low, high) of the images, as for every super-pixel layer.
        **kwargs: `name` and the like, for `keras.layers.Layer`.
    """

    on_host = True

    @abc.abstractmethod
    def segment_one(self, image: np.ndarray) -> np.ndarray:
        """Partition one image.

        Args:
            image: (H, W, C) float32, in [0, 1].

        Returns:
            (H, W) integers, at most H·W values that follow one another.
        """

    def partition(self, images):
        # Scaled on the host as well: in a graph TensorFlow turns the division into
        # a product with the reciprocal, and labels depend on the last bit.
        low, high = self.value_range

        def segment_scaled(batch):
            return self.segment_batch(
                (batch - np.float32(low)) / np.float32(high - low)
            )

        return groups.relabel(self._call_host(segment_scaled, images))

    def segment(self, images):
        return self._call_host(self.segment_batch, images)

    def _call_host(self, function, images):
        # The name is all that TensorFlow says of this operation when XLA refuses
        # it or a SavedModel misses it, so it carries the explanation.
        name = f"{type(self).__name__}_runs_on_the_host_without_XLA_and_export"
        images = tf.cast(images, tf.float32)
        segments = tf.numpy_function(
            function, [images], tf.int32, stateful=False, name=name
        )
        return tf.ensure_shape(segments, images.shape[:3])

    def segment_batch(self, images: np.ndarray) -> np.ndarray:
        """Partition a batch, its images in parallel threads.

        Args:
            images: (N, H, W, C) float32, in [0, 1].

        Returns:
            (N, H, W) int32, labels in 0…H·W−1 in any numbering.

        Raises:
            RuntimeError: naming the image that could not be partitioned, and why.
        """
        segments = np.zeros(images.shape[:3], np.int32)

        def segment_at(index):
            try:
                labels = self.segment_one(images[index])
            except Exception as error:
                raise RuntimeError(
                    f"{type(self).__name__} could not partition image {index} of a "
                    f"batch of shape {images.shape}: {type(error).__name__}: {error}"
                ) from error
            segments[index] = labels - labels.min()

        # A pool for each batch costs some 0.1 ms and leaves nothing behind that
        # would have to be closed, copied or serialised with the layer.
        workers = min(len(images), os.cpu_count() or 1)
        if workers < 2:
            for index in range(len(images)):
                segment_at(index)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(segment_at, range(len(images))))
        return segments
