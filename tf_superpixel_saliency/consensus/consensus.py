"""`tss.Consensus`: several networks of one task, explained together."""

from __future__ import annotations

import itertools

import numpy as np

from tf_superpixel_saliency.consensus.maps import ConsensusMaps
from tf_superpixel_saliency.evaluation.prediction import probabilities
from tf_superpixel_saliency.explainers import classifier, naming
from tf_superpixel_saliency.explainers.base import Explainer
from tf_superpixel_saliency.explainers.settings import argument_names
from tf_superpixel_saliency.metrics.grouping import group_map, group_mean
from tf_superpixel_saliency.metrics.network_agreement import network_agreement
from tf_superpixel_saliency.metrics.partition_risk import partition_risk
from tf_superpixel_saliency.metrics.variance_split import (
    VarianceSplit,
    checked_labels,
    variance_split,
)
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.ops.groups import WEIGHTS
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer
from tf_superpixel_saliency.superpixels.choice import (
    SuperpixelChoice,
    usual_candidates,
)
from tf_superpixel_saliency.superpixels.stack import SuperpixelStack


class Consensus:
    """What several networks of one task have in common, group by group.

    Folds, seeds, checkpoints or an ensemble: each network is one draw of a training.
    Its maps are made with noise of its own and grouped by the same partition; each
    group then has a mean over the networks, an error between them, an agreement in
    sign, and a p-value. Where the variance comes from is told as far as the networks
    were chosen to tell it: `metrics.variance_split`.

    Args:
        models: at least two classifiers, as an explainer takes them.
        superpixels: a super-pixel layer; a list of them, of which the first makes the
            groups and all tell how much the choice of a partition matters; "auto" or a
            `SuperpixelChoice` for the partition of the least risk by all pairs of
            networks (`metrics.partition_risk`), for each image; None for pixels. The
            choice sees the maps that are tested afterwards, which favours no sign.
        method: a gradient method by name or class.
        data: a label of any type for each network, equal where the training data were
            the same; None where nobody knows.
        initialisation: likewise of the initial weights and the order of the batches.
        num_draws: draws of the noise samples for each network, each of all the
            method's samples; 1 for methods without noise, which this doesn't change.
            With 1 the noise can't be told and counts for the networks.
        seed: of the noise; network k's draw s has the seed `seed` + k·num_draws + s.
        weights: of the grouping, "mean" or "sqrt", as `GroupIndicator` has them.
        normalized: divide each network's maps of an image by their common norm, so
            that the surest network doesn't count least, nor the least sure most.
        level: false discovery rate of the groups that are significant.
        **settings: of the method, such as `num_samples=50`, `score="logit"`.

    Example:

    >>> def network(seed):
    ...     keras.utils.set_random_seed(seed)
    ...     return keras.Sequential([
    ...         keras.Input((8, 8, 3)), keras.layers.Flatten(),
    ...         keras.layers.Dense(3, activation="softmax"),
    ...     ])
    >>> consensus = tss.Consensus(
    ...     [network(seed) for seed in range(3)], tss.SquareGrid(size=4),
    ...     method="SimpleGradient", initialisation=range(3), data=["all"] * 3,
    ... )
    >>> found = consensus(np.full((1, 8, 8, 3), 100.0))
    >>> found.mean.shape, found.significant.shape
    ((1, 8, 8, 3), (1, 8, 8, 3))
    """

    def __init__(
        self,
        models,
        superpixels="auto",
        method="SmoothGrad",
        *,
        data=None,
        initialisation=None,
        num_draws=2,
        seed=0,
        weights="mean",
        normalized=True,
        level=0.05,
        **settings,
    ):
        self.models = list(models) if isinstance(models, (list, tuple)) else [models]
        if len(self.models) < 2:
            raise ValueError(
                "Consensus takes a list of at least two networks, but got "
                f"{len(self.models)}. One network can't tell how another training "
                "would explain."
            )
        self.kind = _checked_method(method)
        seeded = "seed" in argument_names(self.kind)
        self.num_draws = checks.checked_count("num_draws", num_draws) if seeded else 1
        self.seed = checks.checked_seed(seed)
        self.layers, self.chooses = _checked_layers(superpixels, self.models[0])
        number = len(self.models)
        self.data = checked_labels("data", data, number)
        self.initialisation = checked_labels("initialisation", initialisation, number)
        self.weights = checks.checked_choice("weights", weights, WEIGHTS)
        self.normalized = bool(normalized)
        self.level = checks.checked_fraction("level", level)
        self._seeded = seeded
        self._explainers = [
            [
                self._explainer(model, k * self.num_draws + s, settings)
                for s in range(self.num_draws)
            ]
            for k, model in enumerate(self.models)
        ]
        told = {key: settings.get(key) for key in ("model_output", "preprocess")}
        told["model_output"] = told["model_output"] or "auto"
        self._predict = [probabilities(model, **told) for model in self.models]

    def _explainer(self, model, number, settings):
        if self._seeded:
            settings = {**settings, "seed": self.seed + number}
        return self.kind(model, **settings)

    def __call__(self, images, targets=None, segments=None) -> ConsensusMaps:
        """Explain images by all networks.

        Args:
            images: (N, H, W, C), as for an explainer.
            targets: (N,) integers or one for all, the class to explain in every
                network; None or −1 for that of the highest mean probability.
            segments: (H, W) or (N, H, W) integers, groups of your own in place of
                `superpixels`.

        Returns:
            `ConsensusMaps`.

        Raises:
            ValueError, TypeError: as an explainer; or a network has no finite map.
        """
        first = self._explainers[0][0]
        images = np.asarray(first._checked(images, targets, segments)["images"])
        found = np.stack([predict(images) for predict in self._predict])
        wanted = checks.checked_targets(targets, len(images), found.shape[-1])
        wanted = np.where(wanted < 0, found.mean(axis=0).argmax(axis=-1), wanted)
        maps = np.stack(
            [
                [_maps(one, images, wanted) for one in draws]
                for draws in self._explainers
            ]
        )
        if not np.isfinite(maps).all():
            bad = np.flatnonzero(~np.isfinite(maps).all(axis=(1, 2, 3, 4, 5)))
            raise ValueError(
                f"Network {bad[0]} has no finite map of some of the images. Leave it, "
                "or them, out."
            )
        if self.normalized:
            maps = _normalized(maps)
        if segments is None:
            partitions = [np.asarray(layer(images)) for layer in self.layers]
        else:
            partitions = [checks.checked_segments(segments, images.shape)]
        rows = [
            self._of_image(
                maps[:, :, i],
                [one[i] for one in partitions],
                self.chooses and segments is None,
            )
            for i in range(len(images))
        ]
        return self._gathered(images, wanted, found, rows)

    def _of_image(self, maps, partitions, chooses):
        """Everything of one image: maps (K, S, H, W, C), partitions [(H, W)]."""
        own = maps.mean(axis=1)
        pixels = np.arange(own[0, ..., 0].size).reshape(own.shape[1:3])
        chosen = -1
        if chooses:
            partitions = [*partitions, pixels]
            chosen = int(np.argmin(_pair_risks(own, partitions)))
            partitions = [partitions[chosen]]
        labels = (partitions or [pixels])[0].astype(np.int32)
        values = np.stack(
            [[self._groups(one, labels) for one in draws] for draws in maps]
        )
        table = None
        if len(partitions) > 1:
            table = np.stack(
                [[group_map(one, p, self.weights) for p in partitions] for one in own]
            )
        split = variance_split(
            values, self.data, self.initialisation, np.bincount(labels.ravel()), table
        )
        if self._seeded and self.num_draws == 1:
            split = split._replace(noise=np.nan)
        return labels, network_agreement(values.mean(axis=1)), split, chosen

    def _groups(self, one_map, labels):
        flat = one_map.reshape(labels.size, -1)
        return group_mean(flat, labels.ravel(), self.weights)

    def _gathered(self, images, targets, found, rows):
        labels = np.stack([row[0] for row in rows])

        def spread(name, kind=np.float32):
            return np.stack(
                [getattr(row[1], name)[row[0]].astype(kind) for row in rows]
            )

        adjusted = spread("adjusted")
        variance = {
            name: np.array([getattr(row[2], name) for row in rows], np.float64)
            for name in VarianceSplit._fields
        }
        return ConsensusMaps(
            images=images,
            segments=labels,
            targets=targets.astype(np.int32),
            predicted=found.argmax(axis=-1).astype(np.int32),
            scores=found[:, np.arange(len(targets)), targets],
            mean=spread("mean"),
            standard_error=spread("standard_error"),
            sign_agreement=spread("sign_agreement"),
            adjusted=adjusted,
            significant=adjusted <= self.level,
            variance=variance,
            chosen=np.array([row[3] for row in rows]) if self.chooses else None,
            level=self.level,
            value_range=self.layers[0].value_range if self.layers else (0, 255),
        )


def _maps(explainer, images, targets):
    given = {"images": images, "targets": targets}
    return np.concatenate([out["maps"] for out in explainer.explain_batches(given)])


def _normalized(maps):
    """Each network's draws of an image over their root mean square norm."""
    square = np.square(maps, dtype=np.float64).sum(axis=(3, 4, 5), keepdims=True)
    size = np.sqrt(square.mean(axis=1, keepdims=True))
    return maps / np.where(size > 0, size, 1.0)


def _pair_risks(maps, partitions):
    """The risk of the mean map over K networks, the mean over their pairs, (R,)."""
    number = len(maps)
    first, second = np.transpose(list(itertools.combinations(range(number), 2)))
    return [
        partition_risk(maps[first], maps[second], labels, number).shrunk.mean()
        for labels in partitions
    ]


def _checked_method(method):
    kind = naming.from_text(method) if isinstance(method, str) else method
    if not (isinstance(kind, type) and issubclass(kind, Explainer)):
        raise TypeError(
            "method must be a name such as 'SmoothGrad' or an explainer's class, but "
            f"got {method!r}."
        )
    if not kind.groups_maps:
        raise ValueError(
            f"{kind.__name__} gives each super-pixel a value of its own. Consensus "
            "takes methods that make a map pixel by pixel, such as SmoothGrad."
        )
    return kind


def _checked_layers(superpixels, model):
    """Layers, and whether one of them is chosen for each image."""
    if isinstance(superpixels, str) and superpixels == "auto":
        sides = filter(None, classifier.input_shape(model)[:2])
        return usual_candidates(min(sides, default=None)), True
    if isinstance(superpixels, SuperpixelStack):
        return superpixels.layers, isinstance(superpixels, SuperpixelChoice)
    if isinstance(superpixels, (list, tuple)):
        return SuperpixelStack(superpixels).layers, False
    if superpixels is None or isinstance(superpixels, SuperpixelLayer):
        return [] if superpixels is None else [superpixels], False
    raise TypeError(
        "superpixels must be a super-pixel layer, such as Quickshift(), a list of "
        f'them, "auto" or None, but got {superpixels!r}.'
    )
