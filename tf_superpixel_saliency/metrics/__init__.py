"""What is measured of maps: pure functions on arrays and plain callables.

Nothing here knows an explainer: a map may come from any library. Every function takes
NumPy arrays and gives NumPy arrays back, one value an image where it can.
"""

from tf_superpixel_saliency.metrics.chance import ChanceCorrected, chance_corrected
from tf_superpixel_saliency.metrics.ssim import structural_similarity
from tf_superpixel_saliency.metrics.stability import (
    cosine_similarity,
    l2_distance,
    rank_correlation,
)

__all__ = [
    "ChanceCorrected",
    "chance_corrected",
    "cosine_similarity",
    "l2_distance",
    "rank_correlation",
    "structural_similarity",
]
