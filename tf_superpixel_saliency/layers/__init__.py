"""Keras layers of the paper's two forms: indicators per group, and group means."""

from tf_superpixel_saliency.layers.group_indicator import GroupIndicator
from tf_superpixel_saliency.layers.group_mean import GroupMean

__all__ = ["GroupIndicator", "GroupMean"]
