"""A classifier and photos that need no download, to try the package on."""

from __future__ import annotations

from tf_superpixel_saliency.demo.classes import class_name
from tf_superpixel_saliency.demo.efficientnet_lite import load_model
from tf_superpixel_saliency.demo.photos import load_photos, prepare

__all__ = ["class_name", "load_model", "load_photos", "prepare"]
