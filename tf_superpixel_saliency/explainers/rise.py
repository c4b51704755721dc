"""RISE: the mean of random masks, weighed by the score of what they leave."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers import masked
from tf_superpixel_saliency.explainers.base import Attribution, Explainer
from tf_superpixel_saliency.explainers.chunking import checked_chunk_size
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.ops.masks import smooth_masks
from tf_superpixel_saliency.ops.sampling import sum_over_samples

NORMALIZATIONS = ("observed", "expected")


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class RISE(Explainer):
    """Σ_i f_c(x ⊙ M_i) M_i / Σ_i M_i over n random masks: the mean score where seen.

    Petsiuk, Das and Saenko, BMVC 2018; the masks are those of
    `ops.masks.smooth_masks`. No gradient is taken, so the model need not have one.

    `normalization="expected"` is the paper's equation 6, which divides by n·p, what
    Σ_i M_i is expected to be. Both tend to the same map. But then a pixel that some
    more masks happen to show is brighter by as much, whatever the model: two maps of
    300 masks each had a median rank correlation of 0.42 on eight photos
    (EfficientNet-Lite0), against 0.51 where that is divided out. Both are low: it
    takes thousands of masks.

    The masks are set by (seed, number of the mask) alone and are the same for every
    image of a batch: a map depends on its image and the seed, not on the batch, the
    chunks or the device. To compare two networks, give each a seed of its own.

    Other libraries: xplique shifts all masks of a chunk alike, so that its map
    changes with the batch size.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        num_masks: n; 4,000 to 8,000 in the paper for 224×224 images.
        grid: cells on a side of a mask, before it is enlarged.
        probability: p, in (0, 1]: the chance of a cell to be kept.
        normalization: "observed", each pixel by its own Σ_i M_i (0 where no mask shows
            it), or "expected", all by n·p.
        fill: what hides a pixel, in the units of the images: a number, or one for
            each channel. The paper's is 0 after its networks' normalisation, which
            is the mean colour of their training images, not black.
        seed: 0 … 2³¹ − 1.
        chunk_size: masked images that go through the network at once, over the batch
            (but at least one of each image): memory is flat in `num_masks`. "auto"
            goes by the sizes of the network's feature maps, as in SmoothGrad.

    `maps` are (N, H, W, 1), and grouped where `superpixels` or `segments` are given.
    They are not centred: a pixel that changes nothing has some mean masked score.
    """

    def __init__(
        self,
        model,
        superpixels=None,
        num_masks=4000,
        grid=7,
        probability=0.5,
        normalization="observed",
        fill=0.0,
        seed=0,
        chunk_size="auto",
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        super().__init__(model, superpixels, score, model_output, **kwargs)
        self.num_masks = checks.checked_count("num_masks", num_masks)
        self.grid = checks.checked_count("grid", grid)
        self.probability = checks.checked_fraction("probability", probability)
        self.normalization = checks.checked_choice(
            "normalization", normalization, NORMALIZATIONS
        )
        self.fill = masked.checked_fill(fill)
        self.seed = checks.checked_seed(seed)
        self.chunk_size = checked_chunk_size(chunk_size)

    def attribute(self, images, targets, segments):
        score = self._scorer.evaluate(images, targets)
        fill = masked.fill_colour(self.fill, images)
        batch, height, width = tf.unstack(tf.shape(images)[:3])
        if None not in images.shape[1:3]:
            height, width = images.shape[1:3]

        def add(numbers, weights):
            masks = smooth_masks(
                numbers, height, width, self.grid, self.probability, self.seed
            )[:, None]
            values = masked.masked_scores(
                self._scorer, images, score.targets, masks, fill
            )
            # What fills the last chunk is no mask of this map, whatever it scores.
            used = weights[:, None] > 0
            values = tf.where(used, values, 0.0)[..., None, None]
            seen = tf.where(used[..., None, None], masks, 0.0)
            return tf.reduce_sum(values * masks, 0), tf.reduce_sum(seen, [0, 1])

        zeros = (tf.zeros_like(images[..., 0]), tf.zeros([height, width]))
        at_once = self._scorer.rows_at_once(self.chunk_size, images)
        total, seen = sum_over_samples(add, zeros, self.num_masks, batch, at_once)
        if self.normalization == "expected":
            maps = total / (self.num_masks * self.probability)
        else:
            maps = tf.math.divide_no_nan(total, seen)
        return Attribution(maps[..., None], False, score, {})

    def get_config(self):
        fill = list(self.fill) if isinstance(self.fill, tuple) else self.fill
        return {
            **super().get_config(),
            "num_masks": self.num_masks,
            "grid": self.grid,
            "probability": self.probability,
            "normalization": self.normalization,
            "fill": fill,
            "seed": self.seed,
            "chunk_size": self.chunk_size,
        }
