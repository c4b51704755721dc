"""What methods share that evaluate the gradient at many points near an image."""

from __future__ import annotations

import abc

import tensorflow as tf

from tf_superpixel_saliency.explainers.base import PARTITIONS, Attribution, Explainer
from tf_superpixel_saliency.explainers.chunking import checked_chunk_size
from tf_superpixel_saliency.explainers.image_loop import map_images
from tf_superpixel_saliency.explainers.image_points import ImagePoints
from tf_superpixel_saliency.ops import checks


class SampledExplainer(Explainer, abc.ABC):
    """Base of the methods that add up gradients at `num_points` points of an image.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        num_points: number of gradients an image.
        partition: "static" segments the clean image once; "dynamic" segments every
            point anew and groups its gradient by that before adding up (§3.2).
        dynamic_sigma: Gaussian smoothing in pixels of what "dynamic" segments, after
            clipping to the super-pixels' `value_range`. Unsmoothed noise shatters
            Quickshift into tens of thousands of groups.
        chunk_size: points that go through the network at once; "auto" takes what suits
            the sizes of the network's feature maps, within 1 GiB: see
            `chunking.rows_at_once`. Images are explained one after another, so that
            memory is flat in `num_points` and in the batch, and an image's map does
            not depend on the others.
        tolerance: None, or the relative error of the grouped map at which to stop;
            `num_points` then is the most that are taken.

    The call's outputs have, beside those of `Explainer`, for "dynamic": `num_groups`
    (N,) float32, the mean number of groups of the points' partitions. `segments` are
    the clean image's.
    """

    def __init__(
        self,
        model,
        superpixels=None,
        *,
        num_points,
        partition,
        dynamic_sigma,
        chunk_size,
        tolerance=None,
        **kwargs,
    ):
        super().__init__(model, superpixels, **kwargs)
        self.partition = checks.checked_choice("partition", partition, PARTITIONS)
        if partition == "dynamic" and superpixels is None:
            raise ValueError(
                'partition="dynamic" segments every point anew and needs '
                "superpixels=<a super-pixel layer>, but got None."
            )
        self.dynamic_sigma = checks.checked_number("dynamic_sigma", dynamic_sigma, 0)
        self.chunk_size = checked_chunk_size(chunk_size)
        self.tolerance = (
            None
            if tolerance is None
            else checks.checked_number("tolerance", tolerance, 0, True)
        )
        self._num_points = num_points

    @property
    def is_dynamic(self) -> bool:
        """Whether every point is segmented anew."""
        return self.partition == "dynamic"

    def rows_at_once(self, image) -> int:
        """Points that may go through the network at once, at the size of an image."""
        return self._scorer.rows_at_once(self.chunk_size, image)

    def each_image(self, images, targets, segments, function, maps=(), numbers=()):
        """`function` of each image by itself.

        Args:
            images: (N, H, W, C) float32.
            targets: (N,) int32, resolved.
            segments: (N, H, W) int32 of the clean images, or None.
            function: (`ImagePoints`) → {"maps": (H, W, C'), and all of the following}.
            maps: names of further maps (H, W, C') that it returns.
            numbers: names of numbers () that it returns, beside "num_groups" for
                "dynamic".

        Returns:
            {name: (N, …)}.
        """
        shape = self._scorer.prepared(images).shape[1:]
        signature = dict.fromkeys(("maps", *maps), tf.TensorSpec(shape))
        numbers = (*numbers, *(["num_groups"] if self.is_dynamic else []))
        signature |= dict.fromkeys(numbers, tf.TensorSpec(()))

        def one(image, target, segments):
            return function(ImagePoints(self, image, target, segments))

        return map_images(one, images, targets, segments, signature)

    def attribution(self, out, score) -> Attribution:
        """The result, of maps that are grouped, with a flag where a tolerance failed.

        Args:
            out: of `each_image`, with `relative_error` where there is a tolerance.
            score: at the clean images.
        """
        status = None
        if self.tolerance is not None:
            error = out["relative_error"]
            missed = (error > self.tolerance) | tf.math.is_nan(error)
            status = checks.TOLERANCE_NOT_REACHED * tf.cast(missed, tf.int32)
        maps = out.pop("maps")
        return Attribution(maps, True, score, out, status)

    def call(self, images, targets=None, segments=None, inputs=None):
        if self.is_dynamic and (
            segments is not None or (isinstance(images, dict) and "segments" in images)
        ):
            raise ValueError(
                'partition="dynamic" segments every point by `superpixels`, so that '
                '`segments` of your own have no place. Use partition="static".'
            )
        return super().call(images, targets, segments, inputs)

    def get_config(self):
        return {
            **super().get_config(),
            "partition": self.partition,
            "dynamic_sigma": self.dynamic_sigma,
            "chunk_size": self.chunk_size,
        }
