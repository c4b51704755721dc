"""XRAI: regions of several scales, ranked by their IntegratedGradients."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers.base import Attribution
from tf_superpixel_saliency.explainers.path_integral import Path, fixed_integral
from tf_superpixel_saliency.explainers.sampled import SampledExplainer
from tf_superpixel_saliency.ops import checks, groups
from tf_superpixel_saliency.ops.regions import ALGORITHMS, rank_regions
from tf_superpixel_saliency.superpixels.felzenszwalb import Felzenszwalb
from tf_superpixel_saliency.superpixels.stack import SuperpixelStack

# Of images in [−1, 1] in the original, where edges are twice those in [0, 1].
_ORIGINAL_SCALES = (50, 100, 150, 250, 500, 1200)
_ORIGINAL_DILATION = 5


def default_regions() -> SuperpixelStack:
    """Felzenszwalb's at the six scales of the original, of images in 0…255."""
    return SuperpixelStack(
        [
            Felzenszwalb(scale=scale / 2, sigma=0.8, min_size=150)
            for scale in _ORIGINAL_SCALES
        ]
    )


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class XRAI(SampledExplainer):
    """The mean attribution of regions, each over what it adds to those before.

    Kapishnikov, Bolukbasi, Viégas and Terry, ICCV 2019, as its authors' package
    `saliency` does it: IntegratedGradients from black and from white (all pixels of the
    image's own lowest and highest value), averaged; the highest over the channels at
    each pixel; then the region with the highest mean is added, and again of what is
    not covered yet, until all is (`ops.regions`). The map is the mean with which each
    pixel was added, and the same for all channels. With one partition that is not
    dilated there is nothing to choose: it is the mean in each super-pixel.

    Where it differs from `saliency`: the path is integrated by midpoints (there both
    ends count in full, 1/n too much); and a region may add a single pixel unless
    `min_pixels` says more (there 50).

    Args:
        model: as in `Explainer`, and so are `score`, `model_output`, `preprocess`.
        superpixels: one super-pixel layer or a list of them, such as one algorithm at
            several scales. None for the original's: Felzenszwalb's at six scales, of
            images in 0…255. They run on the host: for XLA and export take layers that
            are in the graph, as in `[Quickshift(max_dist=d) for d in (3, 6, 12)]`.
        num_steps: gradients for each of the two baselines.
        algorithm: "full", or "fast": the regions in the order of their whole means.
        min_pixels: regions that would add fewer pixels are not added, and what is left
            at the end has its mean. Keep it well below the super-pixels' size.
        dilation: radius in pixels of the disk by which each region is dilated, so that
            it holds the edges around it; those of one scale then overlap, too. None for
            the original's 5 with its regions, and 0 with `superpixels` of one's own,
            which then are the pieces of the map.
        chunk_size: points that go through the network at once, over the batch (but at
            least one of each image).

    Call arguments:
        segments: (H, W), (N, H, W), or (N, R, H, W) for several scales, in place of
            `superpixels`.

    Among the outputs are `maps` (N, H, W, 1), and `segments` (N, H, W), the pieces that
    the regions added, on each of which the map has one value.
    """

    groups_maps = False

    def __init__(
        self,
        model,
        superpixels=None,
        num_steps=50,
        algorithm="full",
        min_pixels=1,
        dilation=None,
        chunk_size="auto",
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        if dilation is None:
            dilation = _ORIGINAL_DILATION if superpixels is None else 0
        if superpixels is None:
            superpixels = default_regions()
        elif isinstance(superpixels, (list, tuple)):
            superpixels = SuperpixelStack(superpixels)
        super().__init__(
            model,
            superpixels,
            num_points=2 * checks.checked_count("num_steps", num_steps),
            partition="static",
            dynamic_sigma=0.0,
            chunk_size=chunk_size,
            score=score,
            model_output=model_output,
            **kwargs,
        )
        self.num_steps = int(num_steps)
        self.algorithm = checks.checked_choice("algorithm", algorithm, ALGORITHMS)
        self.min_pixels = checks.checked_count("min_pixels", min_pixels)
        self.dilation = checks.checked_count("dilation", dilation, 0)

    def attribute(self, images, targets, segments):
        """IntegratedGradients from two baselines, its maximum over the channels."""
        del segments  # they are ranked when the map is known
        score = self._scorer.evaluate(images, targets)
        out = self.each_image(images, score.targets, None, self._explain_image)
        maps = tf.reduce_max(out["maps"], -1, keepdims=True)
        return Attribution(maps, True, score, {})

    def _explain_image(self, points):
        own = self._scorer.prepared(points.image)
        maps = []
        for extreme in (tf.reduce_min, tf.reduce_max):
            start = tf.zeros_like(points.image) + extreme(points.image)
            # In the units of the gradients, which are those of what the model eats.
            change = own - self._scorer.prepared(start)
            path = Path(points, start, change, self.rows_at_once(points.image))
            maps.append(fixed_integral(path, "midpoint", self.num_steps).maps)
        return {"maps": 0.5 * (maps[0] + maps[1])}

    def call(self, images, targets=None, segments=None, inputs=None):
        out = super().call(images, targets, segments, inputs)
        # The attribution and the partitions, of which the map is made only here.
        finite = checks.all_finite(out["maps"])
        values = tf.where(finite[:, None, None], out["maps"][..., 0], 0.0)
        size = values.shape[1:]
        settings = {
            "min_pixels": self.min_pixels,
            "dilation": self.dilation,
            "algorithm": self.algorithm,
        }
        maps, pieces = tf.map_fn(
            lambda one: rank_regions(*one, **settings),
            (values, out["segments"]),
            fn_output_signature=(
                tf.TensorSpec(size, tf.float32),
                tf.TensorSpec(size, tf.int32),
            ),
            parallel_iterations=2,
        )
        maps = tf.where(finite[:, None, None], maps, np.nan)
        heatmaps = tf.abs(maps)
        return {
            **out, "maps": maps[..., None], "heatmaps": heatmaps, "segments": pieces
        }  # fmt: skip

    # -- several partitions an image ----------------------------------------------

    def _partition(self, images, segments):
        """Partitions (N, R, H, W), also from those of `_outputs`, (N·R, H, W)."""
        if segments is None:
            segments = self.superpixels(images)
            return segments if segments.shape.rank == 4 else segments[:, None]
        segments = tf.cast(segments, tf.int32)
        shape = tf.shape(images)
        if segments.shape.rank == 2:
            segments = tf.tile(segments[None], [shape[0], 1, 1])
        number = segments.shape[1] if segments.shape.rank == 4 else None
        flat = tf.reshape(segments, [-1, shape[1], shape[2]])
        stacked = tf.concat([shape[:1], [-1], shape[1:3]], axis=0)
        segments = tf.reshape(groups.compress_labels(flat), stacked)
        return tf.ensure_shape(segments, [images.shape[0], number, *images.shape[1:3]])

    def _checked(self, images, targets, segments, inputs=None):
        several = None if segments is None else checks.as_array(segments)
        if several is None or several.ndim != 4 or several.shape[1] == 0:
            return super()._checked(images, targets, segments, inputs)
        checked = super()._checked(images, targets, several[:, 0], inputs)
        shape = checked["images"].shape
        several = [checks.checked_segments(s, shape) for s in several.swapaxes(0, 1)]
        return {**checked, "segments": tf.constant(np.stack(several, axis=1))}

    def _outputs(self, tensors, strategy=None):
        # The compiled call takes segments of rank 3: images after one another.
        if "segments" in tensors and tensors["segments"].shape.rank == 4:
            segments = tensors["segments"]
            flat = tf.reshape(segments, [-1, *segments.shape[2:]])
            tensors = {**tensors, "segments": flat}
        return super()._outputs(tensors, strategy)

    def get_config(self):
        config = super().get_config()
        del config["partition"], config["dynamic_sigma"]
        return {
            **config,
            "num_steps": self.num_steps,
            "algorithm": self.algorithm,
            "min_pixels": self.min_pixels,
            "dilation": self.dilation,
        }
