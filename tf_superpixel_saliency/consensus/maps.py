"""What `Consensus` returns: maps with their error, and where variance comes from."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ConsensusMaps:
    """What K networks have in common on N images. Arrays can't be written to.

    Maps are (N, H, W, C) and constant in each group; `per_group` values are the same
    once a group. With `normalized` maps, the usual, their unit is the size of one
    network's map.

    Attributes:
        images: (N, H, W, C) float32, what was explained.
        segments: (N, H, W) int32, 0…p−1: the groups of the first partition, or of the
            one that was chosen.
        targets: (N,) int32, the class explained in all networks.
        predicted: (K, N) int32, the class each network predicts.
        scores: (K, N) float32, the probability each gives to the class explained.
        mean: the mean map, float32.
        standard_error: of the mean, between networks.
        sign_agreement: the share of networks with the mean's sign.
        adjusted: p-values of a mean of 0 after Benjamini and Hochberg, over the groups
            and channels of an image.
        significant: bool, adjusted ≤ level.
        variance: {name: (N,) float64}, the fields of `metrics.VarianceSplit`.
        chosen: (N,) int, the number of the layer where partitions were chosen, that of
            layers for pixels; None where there was nothing to choose.
        level: false discovery rate of `significant`.
        value_range: (low, high) of the images, for pictures.
    """

    images: np.ndarray
    segments: np.ndarray
    targets: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray
    mean: np.ndarray
    standard_error: np.ndarray
    sign_agreement: np.ndarray
    adjusted: np.ndarray
    significant: np.ndarray
    variance: dict
    chosen: np.ndarray | None
    level: float
    value_range: tuple

    def __post_init__(self):
        for value in (*vars(self).values(), *self.variance.values()):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __len__(self):
        return len(self.images)

    @property
    def heatmaps(self) -> np.ndarray:
        """(N, H, W): Σ over channels of |mean|."""
        return np.abs(self.mean).sum(axis=-1)

    @property
    def trusted(self) -> np.ndarray:
        """(N, H, W): the heatmaps of significant values alone, 0 elsewhere."""
        return np.where(self.significant, np.abs(self.mean), 0).sum(axis=-1)

    def shares(self) -> dict:
        """{name: (N,)}: each part of the variance over one map's mean square."""
        energy = self.variance["energy"]
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                name: value / energy
                for name, value in self.variance.items()
                if name != "energy"
            }

    def plot(self, index=0, *, title=None, percentile=99, figure=None):
        """Draw one image's consensus: see `plots.plot_consensus`.

        Args:
            index: which image.
            title: over the picture; the class and who predicts it unless given.
            percentile: in (0, 100], where the maps are cut off.
            figure: an empty matplotlib Figure to fill; a new one unless given.

        Returns:
            Array of matplotlib Axes.

        Raises:
            IndexError: there is no such image.
        """
        from tf_superpixel_saliency import plots

        if title is None:
            target = self.targets[index]
            agree = int(np.sum(self.predicted[:, index] == target))
            number = len(self.predicted)
            title = f"Class {target}, predicted by {agree} of {number} networks"
        return plots.plot_consensus(
            self.images[index],
            self.mean[index],
            self.standard_error[index],
            self.sign_agreement[index],
            self.significant[index],
            shares={name: value[index] for name, value in self.shares().items()},
            title=title,
            percentile=percentile,
            value_range=self.value_range,
            figure=figure,
        )
