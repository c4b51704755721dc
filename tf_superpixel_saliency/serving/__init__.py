"""Explainers for servers: SavedModels that need TensorFlow alone."""

from tf_superpixel_saliency.serving.exporting import export

__all__ = ["export"]
