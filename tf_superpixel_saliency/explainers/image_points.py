"""Gradients at points near one image, and their sums."""

from __future__ import annotations

import tensorflow as tf

from tf_superpixel_saliency.ops import filters, groups
from tf_superpixel_saliency.ops.adaptive_quadrature import Values


class ImagePoints:
    """One image, and what a `SampledExplainer` makes of points near it.

    Args:
        explainer: the `SampledExplainer`.
        image: (1, H, W, C) float32.
        target: (1,) int32, resolved.
        segments: (1, H, W) int32 of the clean image, or None.
    """

    def __init__(self, explainer, image, target, segments):
        self.image = image
        self.target = target
        self.segments = segments
        self._explainer = explainer
        self.scorer = explainer._scorer
        # Traced once for all loops, rests and rounds: it holds the network and its
        # gradient, which take seconds each time.
        self._start_gradient = tf.function(
            self._started,
            input_signature=[tf.TensorSpec([None, *image.shape[1:]])],
            autograph=False,
        )

    def _started(self, rows):
        """Gradients in what the model's affine start makes of points, and scores."""
        gradients, score = self.scorer.start_gradient(rows, self._targets(rows))
        return gradients, tf.cast(score.value, tf.float32)

    def map_zeros(self):
        """A map of zeros, (H, W, C')."""
        return tf.zeros_like(self.scorer.prepared(self.image))[0]

    # -- each point's own map -----------------------------------------------------

    def gradients(self, rows):
        """Points (k, H, W, C) → gradients (k, H, W, C'), in what the model eats."""
        return self._back_to_images(self._start_gradient(rows)[0])

    def pair_gradients(self, rows):
        """Means of the gradients at points i and k + i: (2k, …) → (k, H, W, C')."""
        return self._back_to_images(mean_of_pairs(self._start_gradient(rows)[0]))

    def _back_to_images(self, started):
        images = tf.tile(self.image, [tf.shape(started)[0], 1, 1, 1])
        return self.scorer.back_to_images(images, started)

    def partitions(self, rows):
        """What groups the points' gradients, (k, H, W) int32, or None for pixels.

        And how many groups a point has, {"num_groups": (k,) float32}, for "dynamic".
        """
        if self.segments is None:
            return None, {}
        if not self._explainer.is_dynamic:
            return tf.tile(self.segments, [tf.shape(rows)[0], 1, 1]), {}
        layer = self._explainer.superpixels
        seen = tf.clip_by_value(rows, *layer.value_range)
        seen = filters.gaussian_filter(seen, self._explainer.dynamic_sigma)
        segments = layer(tf.stop_gradient(seen))
        counts = tf.cast(groups.count_groups(segments), tf.float32)
        return segments, {"num_groups": counts}

    def grouped(self, maps, partitions=None):
        """Maps (k, H, W, C') averaged in partitions, or in the clean image's groups."""
        weights = self._explainer.group_weights
        if partitions is not None:
            return groups.group_mean(maps, partitions, weights)
        if self.segments is None:
            return maps
        # Maps of one partition are channels of one map: a quarter of the time less.
        places = tf.transpose(maps, [1, 2, 0, 3])
        shape = tf.shape(places)
        columns = tf.reshape(places, [1, shape[0], shape[1], shape[2] * shape[3]])
        means = groups.group_mean(columns, self.segments, weights)
        means = tf.transpose(tf.reshape(means, shape), [2, 0, 1, 3])
        return tf.ensure_shape(means, maps.shape)

    def point_maps(self, rows, factor):
        """factor ⊙ gradient of each point, in its groups.

        Returns:
            `Values` of the points, and {"sum": (k,), and "num_groups": (k,) for
            "dynamic"}.
        """
        partitions, numbers = self.partitions(rows)
        started, scores = self._start_gradient(rows)
        maps = factor * self._back_to_images(started)
        values = Values(self.grouped(maps, partitions), sums(maps), scores)
        return values, {"sum": values.sums, **numbers}

    # -- sums of them -------------------------------------------------------------

    def zero_sum(self):
        """What `add_to_sum` starts from: the sum, and those of its numbers.

        For "static", what the affine layers at the start of the model do to a gradient
        is done once to the sum, and so are the factor and the grouping.
        """
        if self._explainer.is_dynamic:
            zero = tf.zeros([])
            return self.map_zeros(), {"sum": zero, "num_groups": zero}
        return tf.zeros_like(self.scorer.start(self.image))[0], {}

    def add_to_sum(self, state, rows, weights, used, factor):
        """With further points.

        Args:
            state: of `zero_sum`.
            rows: (k, H, W, C), the points.
            weights: (k,) float32, of their gradients.
            used: (k,) float32, 1, or 0 where a point is there to fill the chunk.
            factor: (1, H, W, C'), of all gradients.
        """
        total, numbers = state
        if self._explainer.is_dynamic:
            values, found = self.point_maps(rows, factor)
            maps, numbers = values.maps, add_numbers(numbers, found, weights, used)
        else:
            maps, _ = self._start_gradient(rows)
        # A product and a sum, no matmul, which GPUs may round to 10 bits (TF32).
        shares = tf.reshape(weights * used, [-1, *[1] * (maps.shape.rank - 1)])
        return total + tf.reduce_sum(shares * maps, axis=0), numbers

    def finished_sum(self, state, factor):
        """Σ weight · factor ⊙ gradient in its groups, (H, W, C'), and its numbers."""
        total, numbers = state
        if self._explainer.is_dynamic:
            return total, numbers
        maps = factor * self.scorer.back_to_images(self.image, total[None])
        return self.grouped(maps)[0], {"sum": sums(maps)[0]}

    def _targets(self, rows):
        return tf.tile(self.target, tf.shape(rows)[:1])


def mean_of_pairs(values):
    """Means of values i and k + i: (2k, …) → (k, …)."""
    first, second = tf.split(values, 2, axis=0)
    return 0.5 * (first + second)


def sums(maps):
    """(k, H, W, C) → (k,). In float64: 150,000 terms of either sign."""
    return tf.cast(tf.reduce_sum(tf.cast(maps, tf.float64), [1, 2, 3]), tf.float32)


def add_numbers(numbers, found, weights, used):
    """The weighted sum of the maps' sums, and the plain one of the numbers of groups.

    Args:
        numbers: {"sum": (), "num_groups": () for "dynamic"}.
        found: the same of k further points, (k,) each.
        weights, used: (k,) float32, as in `ImagePoints.add_to_sum`.
    """
    added = {
        name: tf.reduce_sum(used * value * (weights if name == "sum" else 1.0))
        for name, value in found.items()
    }
    return {name: numbers[name] + added[name] for name in numbers}
