"""SmoothGrad: the mean gradient over noisy copies of the image."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers.base import Attribution
from tf_superpixel_saliency.explainers.image_points import mean_of_pairs
from tf_superpixel_saliency.explainers.sampled import SampledExplainer
from tf_superpixel_saliency.ops import checks, moments, noise
from tf_superpixel_saliency.ops.sampling import best_chunk, over_chunks, same_shape

NUM_SAMPLES = 50
MOST_SAMPLES = 1000
# A tolerance is looked at after as many pairs, whatever the chunks.
_PAIRS_A_LOOK = 16


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class SmoothGrad(SampledExplainer):
    """(1/n) Σ ∇f_c(x + σ ε_s), ε_s ~ N(0, 1), then the mean in each group.

    Smilkov et al., arXiv:1706.03825. The signed mean is returned, neither squared nor
    absolute. Averaging over samples and over pixels commute, so that with a static
    partition this is κ(x) applied to SmoothGrad, and the paper's Propositions hold.

    The noise is set by (seed, number of the sample) alone and is the same for every
    image of a batch: a map depends on its image and the seed, not on the batch, the
    chunks or the device. To compare two networks, give each a seed of its own.

    Samples come in pairs, whose means are what the standard error is made of. With
    `antithetic` a pair is x + σ ε and x − σ ε (Hammersley and Morton, 1956): half of
    the noise to draw, and what the score's curvature adds to the gradient at the one
    it takes off at the other.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        num_samples: number of noisy copies n: 50, or with `tolerance` the most that
            are taken, 1000.
        noise_level: σ as a fraction of each image's own max − min, at least 0.
        seed: 0 … 2³¹ − 1.
        partition, dynamic_sigma, chunk_size: as in `SampledExplainer`. With
            `Quickshift()` and noise of 0.15 the default sigma of 1.3 leaves as many
            groups as the clean image has: 1.02 times, median of 16 photos at 224×224,
            against 25 times at 0 and 0.65 times at 2. Other noise or super-pixels
            want another one: compare `num_groups` with the clean image's groups.
        antithetic: whether the samples of a pair have opposite noise, or noise of
            their own, as in the paper.
        tolerance: the relative error of the grouped map at which an image has enough
            samples; it is looked at after every 32. None takes `num_samples`.

    Among the outputs are `standard_error` (N, H, W, C'), of each value of `maps`: the
    Monte-Carlo error of *this network's* map, how far it is from the one of infinitely
    many samples. It says nothing about what another training would change, which is
    larger. It has `num_samples`/2 − 1 degrees of freedom, and is NaN below three
    samples. `relative_error` (N,) is the expected ‖map − that map‖ / ‖that map‖, and
    `num_samples` (N,) how many were taken.

    The class explained is that of the clean image, and so is `scores`.

    With `superpixels="auto"` or a `SuperpixelChoice` the partition is chosen by the
    two halves of the noise samples, the pairs of even and of odd number. They tell the
    sampling error and not what another training would change: that is in both halves
    and counts as signal. The choice suits this network's map with infinitely many
    samples, and gets finer the more samples there are, pixels in the end.
    """

    draws_noise = True

    def __init__(
        self,
        model,
        superpixels=None,
        num_samples=None,
        noise_level=0.15,
        seed=0,
        partition="static",
        dynamic_sigma=1.3,
        chunk_size="auto",
        antithetic=True,
        tolerance=None,
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        if num_samples is None:
            num_samples = NUM_SAMPLES if tolerance is None else MOST_SAMPLES
        super().__init__(
            model,
            superpixels,
            num_points=checks.checked_count("num_samples", num_samples),
            partition=partition,
            dynamic_sigma=dynamic_sigma,
            chunk_size=chunk_size,
            tolerance=tolerance,
            score=score,
            model_output=model_output,
            **kwargs,
        )
        self.num_samples = int(num_samples)
        self.noise_level = checks.checked_number("noise_level", noise_level, 0)
        self.seed = checks.checked_seed(seed)
        self.antithetic = bool(antithetic)
        if self.chooses_partition:
            self._check_halves()

    def _check_halves(self):
        if self.is_dynamic or self.tolerance is not None:
            raise ValueError(
                "superpixels are chosen for the clean image, by a number of samples "
                'known before: use partition="static" and no tolerance, or one layer.'
            )
        if self.num_samples < 3 or not self.noise_level:
            raise ValueError(
                "superpixels are chosen by two halves of noise samples, which come in "
                "pairs: num_samples must be at least 3 and noise_level above 0, but "
                f"got {self.num_samples} and {self.noise_level}."
            )

    def pair_points(self, image, pairs):
        """Both samples of each pair: numbers (k,) of pairs → (2k, H, W, C).

        The samples 2j of the pairs j come first, the samples 2j + 1 behind them.

        Args:
            image: (1, H, W, C).
            pairs: (k,) int32. The last one of an odd number of samples is one sample,
                twice.
        """
        spread = tf.reduce_max(image) - tf.reduce_min(image)
        shape = tf.shape(image)[1:]
        if self.antithetic:
            first = noise.normal_samples(shape, self.seed, pairs)
            second = -first
        else:
            first = noise.normal_samples(shape, self.seed, 2 * pairs)
            second = noise.normal_samples(shape, self.seed, 2 * pairs + 1)
        alone = (2 * pairs + 1 >= self.num_samples)[:, None, None, None]
        second = tf.where(alone, first, second)
        sigma = self.noise_level * spread
        rows = image + sigma * tf.concat([first, second], axis=0)
        return tf.ensure_shape(rows, [None, *image.shape[1:]])

    def pair_maps(self, points, rows):
        """What each pair adds: its mean map, grouped, and further numbers.

        Args:
            points: `ImagePoints`.
            rows: (2k, H, W, C), of `pair_points`.

        Returns:
            (k, H, W, C') and {name: (k,)}.
        """
        if not self.is_dynamic:
            return points.grouped(points.pair_gradients(rows)), {}
        partitions, counts = points.partitions(rows)
        maps = points.grouped(points.gradients(rows), partitions)
        return mean_of_pairs(maps), {k: mean_of_pairs(v) for k, v in counts.items()}

    # What `pair_maps` returns besides, but for the number of groups.
    pair_numbers: tuple = ()

    def attribute(self, images, targets, segments):
        score = self._scorer.evaluate(images, targets)
        if segments is not None and segments.shape.rank == 4:
            return self._before_the_choice(images, score)
        out = self.each_image(
            images,
            score.targets,
            segments,
            self._explain_image,
            maps=("standard_error",),
            numbers=("relative_error", "num_samples", *self.pair_numbers),
        )
        return self.attribution(out, score)

    def _before_the_choice(self, images, score):
        """Maps that are not grouped, and their halves, to choose a partition by.

        Their errors are those of pixels, and not returned.
        """

        def explain(points):
            out = self._explain_image(points, with_halves=True)
            return {k: out[k] for k in ("maps", "even", *names)}

        names = ("num_samples", *self.pair_numbers)
        out = self.each_image(
            images, score.targets, None, explain, maps=("even",), numbers=names
        )
        maps, even = out.pop("maps"), out.pop("even")
        pairs = -(-self.num_samples // 2)
        # Samples in the pairs 0, 2 …, the last of which may be one sample.
        count = 2 * (-(-pairs // 2)) - (self.num_samples % 2) * (pairs % 2)
        rest = self.num_samples - count
        odd = (self.num_samples * maps - count * even) / rest
        # Var((e·a + o·b)/n) over Var(a − b), of means over e and o samples, e + o = n.
        ratio = count * rest / self.num_samples**2
        return Attribution(maps, False, score, out, halves=(even, odd, ratio))

    def _explain_image(self, points, with_halves=False):
        names = (*self.pair_numbers, *(["num_groups"] if self.is_dynamic else []))
        pairs = -(-self.num_samples // 2)

        def add(state, numbers, used):
            known, even, sums = state
            rows = self.pair_points(points.image, numbers)
            maps, values = self.pair_maps(points, rows)
            alone = tf.cast(2 * numbers + 1 >= self.num_samples, tf.float32)
            weights = used * (1.0 - 0.5 * alone)
            sums = {k: sums[k] + tf.reduce_sum(weights * values[k]) for k in names}
            if with_halves:
                is_even = tf.cast(numbers % 2 == 0, tf.float32)
                even = moments.add_maps(even, maps, weights * is_even)
            return moments.add_maps(known, maps, weights), even, sums

        nothing = moments.no_moments(points.map_zeros())
        even = nothing if with_halves else ()
        state = (nothing, even, dict.fromkeys(names, 0.0))
        state = tf.nest.map_structure(tf.convert_to_tensor, state)
        most = max(1, self.rows_at_once(points.image) // 2)
        if self.tolerance is None:
            per_chunk = best_chunk(pairs, most, rows=2)
            state = over_chunks(add, state, pairs, per_chunk)
        else:
            state = self._until_accurate(add, state, pairs, most)
        known, even, sums = state
        error = moments.standard_error(known)
        return {
            "maps": known.mean,
            "standard_error": error,
            "relative_error": moments.relative_error(known.mean, error),
            "num_samples": 2.0 * known.weight,
            **{name: value / known.weight for name, value in sums.items()},
            **({"even": even.mean} if with_halves else {}),
        }

    def _until_accurate(self, add, state, pairs, most):
        """Looks at the error after every so many pairs."""
        sizes = (size for size in range(1, most + 1) if _PAIRS_A_LOOK % size == 0)
        per_chunk = max(sizes)

        def inaccurate(pair, state):
            known = state[0]
            error = moments.relative_error(known.mean, moments.standard_error(known))
            # Not known before the first look; TensorFlow would take ~(error <= …) for
            # error > …, which NaN is not either.
            wanting = (error > self.tolerance) | tf.equal(pair, 0)
            return (pair < pairs) & wanting

        def look(pair, state):
            def add_further(state, numbers, used):
                numbers = pair + numbers
                used *= tf.cast(numbers < pairs, tf.float32)
                return add(state, tf.minimum(numbers, pairs - 1), used)

            further = over_chunks(add_further, state, _PAIRS_A_LOOK, per_chunk)
            further = tf.nest.map_structure(same_shape, further, state)
            return pair + _PAIRS_A_LOOK, further

        _, state = tf.while_loop(
            inaccurate, look, (tf.constant(0), state), parallel_iterations=1
        )
        return state

    def get_config(self):
        return {
            **super().get_config(),
            "num_samples": self.num_samples,
            "noise_level": self.noise_level,
            "seed": self.seed,
            "antithetic": self.antithetic,
            "tolerance": self.tolerance,
        }
