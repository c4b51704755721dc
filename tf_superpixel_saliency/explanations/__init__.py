"""Explanations for people: `.explain()` on Keras models, and what it returns."""

from tf_superpixel_saliency.explanations.explainable import Explainable, explainable
from tf_superpixel_saliency.explanations.explanation import Explanation

__all__ = ["Explainable", "Explanation", "explainable"]
