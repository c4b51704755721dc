"""Explainers: `keras.Model`s from images to saliency maps, one file a method."""

from tf_superpixel_saliency.explainers.base import Explainer
from tf_superpixel_saliency.explainers.grad_cam import GradCAM
from tf_superpixel_saliency.explainers.integrated_gradients import IntegratedGradients
from tf_superpixel_saliency.explainers.lime import LIME
from tf_superpixel_saliency.explainers.rise import RISE
from tf_superpixel_saliency.explainers.score_cam import ScoreCAM
from tf_superpixel_saliency.explainers.simple_gradient import SimpleGradient
from tf_superpixel_saliency.explainers.smooth_grad import SmoothGrad
from tf_superpixel_saliency.explainers.sparsified_smooth_grad import (
    SparsifiedSmoothGrad,
)
from tf_superpixel_saliency.explainers.xrai import XRAI

__all__ = [
    "LIME",
    "RISE",
    "XRAI",
    "Explainer",
    "GradCAM",
    "IntegratedGradients",
    "ScoreCAM",
    "SimpleGradient",
    "SmoothGrad",
    "SparsifiedSmoothGrad",
]
