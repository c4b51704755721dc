"""What is measured of maps: pure functions on arrays and plain callables.

Nothing here knows an explainer: a map may come from any library. Every function takes
NumPy arrays and gives NumPy arrays back, one value an image where it can.
"""

from tf_superpixel_saliency.metrics.chance import ChanceCorrected, chance_corrected
from tf_superpixel_saliency.metrics.generalizability import (
    Generalizability,
    MeGe,
    ReCo,
    mege,
    mege_and_reco,
    reco,
)
from tf_superpixel_saliency.metrics.intervals import (
    Difference,
    Interval,
    bootstrap_interval,
    paired_difference,
)
from tf_superpixel_saliency.metrics.ssim import structural_similarity
from tf_superpixel_saliency.metrics.stability import (
    cosine_similarity,
    l2_distance,
    rank_correlation,
)
from tf_superpixel_saliency.metrics.verdicts import holm, verdict

__all__ = [
    "ChanceCorrected",
    "Difference",
    "Generalizability",
    "Interval",
    "MeGe",
    "ReCo",
    "bootstrap_interval",
    "chance_corrected",
    "cosine_similarity",
    "holm",
    "l2_distance",
    "mege",
    "mege_and_reco",
    "paired_difference",
    "rank_correlation",
    "reco",
    "structural_similarity",
    "verdict",
]
