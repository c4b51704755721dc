"""Explanations for people: `.explain()` on Keras models, and what it returns."""

from tf_superpixel_saliency.explanations.explanation import Explanation
from tf_superpixel_saliency.explanations.models import Explainable, explainable

__all__ = ["Explainable", "Explanation", "explainable"]
