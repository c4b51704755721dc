"""What methods share that evaluate the gradient at many points near an image."""

from __future__ import annotations

import abc

import tensorflow as tf

from tf_superpixel_saliency.explainers.base import PARTITIONS, Attribution, Explainer
from tf_superpixel_saliency.ops import checks, filters, groups
from tf_superpixel_saliency.ops.sampling import sum_over_samples


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
        chunk_size: points that go through the network at once, over the batch (but
            at least one of each image): memory is flat in `num_points`.

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
        self.chunk_size = checks.checked_count("chunk_size", chunk_size)
        self._num_points = num_points

    @property
    def is_dynamic(self) -> bool:
        """Whether every point is segmented anew."""
        return self.partition == "dynamic"

    def add_up(self, images, targets, segments, points, contribution, extras=0):
        """Σ over the points of a contribution, in chunks.

        Args:
            images: (N, H, W, C) float32.
            targets: (N,) int32, resolved.
            segments: (N, H, W) int32 of the clean images, or None.
            points: numbers (k,) int32 → (k, N, H, W, C) float32, the points.
            contribution: (gradients (k·N, H, W, C), numbers (k,), segments of these
                rows or None) → maps like the gradients and a tuple of `extras`
                further values, each (k·N,).
            extras: how many further values there are.

        Returns:
            The sums: (N, H, W, C'), then `extras` of (N,), then for "dynamic" the
            number of groups (N,), or where a partition is to be chosen the sum over
            the points of even number, (N, H, W, C').
        """
        batch = tf.shape(images)[0]
        row = tf.zeros_like(images[:, 0, 0, 0])

        def add(numbers, weights):
            numbers, rows, repeated = self._rows_at(numbers, images, targets, points)
            count = tf.shape(numbers)[0]
            gradients, _ = self._scorer.gradient(rows, repeated)
            row_segments, further = self._row_segments(rows, segments, count)
            maps, values = contribution(gradients, numbers, row_segments)
            if self.is_dynamic:
                maps = groups.group_mean(maps, row_segments, self.group_weights)
            shares = weights[:, None] * tf.ones([1, batch])
            sums = [
                _weighted_sum(shares, value, batch)
                for value in (maps, *values, *further)
            ]
            if self.chooses_partition:
                sums.append(_weighted_sum(_of_even(numbers, shares), maps, batch))
            return tuple(sums)

        further = 1 if self.is_dynamic else 0
        image = tf.zeros_like(self._scorer.prepared(images))
        zeros = (image,) + (row,) * (extras + further)
        if self.chooses_partition:
            zeros += (image,)
        return sum_over_samples(add, zeros, self._num_points, batch, self.chunk_size)

    def add_up_gradients(
        self,
        images,
        targets,
        segments,
        points,
        weights=None,
        factor=None,
        with_sums=False,
    ):
        """Σ over the points of weight · factor ⊙ gradient, in chunks.

        For "static", what the affine layers at the start of the model do to a gradient
        is done once to the sum, and so is the factor.

        Args:
            images, targets, segments, points: as in `add_up`.
            weights: (num_points, N) float32, or None for ones.
            factor: like the gradients of the images, or None for ones.
            with_sums: whether the sums of the maps over all values, taken before any
                grouping, are wanted as well.

        Returns:
            As `add_up`, with those sums (N,) as the only extra.
        """
        if not self.is_dynamic:
            total, *even = self._sum_at_start(images, targets, points, weights)
            total = total if factor is None else factor * total
            return (total, _sums(total)) if with_sums else (total, *even)

        def contribution(gradients, numbers, row_segments):
            del row_segments
            if weights is not None:
                share = tf.reshape(tf.gather(weights, numbers), [-1, 1, 1, 1])
                gradients = share * gradients
            if factor is not None:
                rows = tf.tile(factor, [tf.shape(numbers)[0], 1, 1, 1])
                gradients = rows * gradients
            return gradients, (_sums(gradients),) if with_sums else ()

        return self.add_up(
            images, targets, segments, points, contribution, int(with_sums)
        )

    def _sum_at_start(self, images, targets, points, weights):
        """Σ weight · gradient, (N, H, W, C'): added up behind the affine layers.

        In a list, with that over the points of even number behind it where a
        partition is to be chosen.
        """
        batch = tf.shape(images)[0]

        def add(numbers, used):
            numbers, rows, repeated = self._rows_at(numbers, images, targets, points)
            gradients = self._scorer.start_gradient(rows, repeated)
            shares = used[:, None] * tf.ones([1, batch])
            if weights is not None:
                shares = shares * tf.gather(weights, numbers)
            sums = [_weighted_sum(shares, gradients, batch)]
            if self.chooses_partition:
                even = _of_even(numbers, shares)
                sums.append(_weighted_sum(even, gradients, batch))
            return tuple(sums)

        zeros = (tf.zeros_like(self._scorer.start(images)),)
        if self.chooses_partition:
            zeros *= 2
        sums = sum_over_samples(add, zeros, self._num_points, batch, self.chunk_size)
        return [self._scorer.back_to_images(images, total) for total in sums]

    def _rows_at(self, numbers, images, targets, points):
        """Numbers (k,) → the same within range, their rows (k·N, …) and targets."""
        # What fills the last chunk is its last point again: a point of its own could
        # be NaN, which a weight of 0 does not take away.
        numbers = tf.minimum(numbers, self._num_points - 1)
        rows = _rows(points(numbers), images)
        return numbers, rows, tf.tile(targets, [tf.shape(numbers)[0]])

    def _row_segments(self, rows, segments, count):
        if segments is None:
            return None, ()
        if not self.is_dynamic:
            return tf.tile(segments, [count, 1, 1]), ()
        low, high = self.superpixels.value_range
        seen = tf.clip_by_value(rows, low, high)
        seen = filters.gaussian_filter(seen, self.dynamic_sigma)
        segments = self.superpixels(tf.stop_gradient(seen))
        return segments, (tf.cast(groups.count_groups(segments), tf.float32),)

    def attribution(self, maps, score, extras, further=()) -> Attribution:
        """The result, with what `add_up` returned behind its extras."""
        if self.is_dynamic:
            extras["num_groups"] = further[0] / self._num_points
        halves = self._halves(maps, further[0]) if self.chooses_partition else None
        return Attribution(maps, self.is_dynamic, score, extras, halves)

    def _halves(self, maps, even_sum):
        """The maps from the samples of even and of odd number, as `Attribution` has."""
        number = self._num_points
        even, odd = (number + 1) // 2, number // 2
        rest = number * maps - even_sum
        # Var((e·a + o·b)/n) over Var(a − b), of means over e and o samples, e + o = n.
        return even_sum / even, rest / odd, even * odd / number**2

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


def _rows(points, images):
    """(k, N, H, W, C) → (k·N, H, W, C), static sizes kept."""
    rows = tf.reshape(points, tf.concat([[-1], tf.shape(images)[1:]], axis=0))
    return tf.ensure_shape(rows, [None, *images.shape[1:]])


def _of_even(numbers, shares):
    """The shares of the points of even number, 0 for the others."""
    return shares * tf.cast(numbers % 2 == 0, tf.float32)[:, None]


def _sums(maps):
    """(N, H, W, C) → (N,). In float64: 150,000 terms of either sign."""
    return tf.cast(tf.reduce_sum(tf.cast(maps, tf.float64), [1, 2, 3]), tf.float32)


def _weighted_sum(weights, values, batch):
    """Σ over the points: (k, N), (k·N, …) → (N, …).

    A product and a sum, no matmul, which GPUs may round to 10 bits (TF32).
    """
    ones = [1] * (values.shape.rank - 1)
    spread = tf.reshape(weights, [-1, *ones])
    count = tf.shape(weights)[0]
    shape = tf.concat([[count, batch], tf.shape(values)[1:]], axis=0)
    return tf.reduce_sum(tf.reshape(spread * values, shape), axis=0)
