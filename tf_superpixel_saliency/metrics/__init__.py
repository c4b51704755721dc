"""What is measured of maps: pure functions on arrays and plain callables.

Nothing here knows an explainer: a map may come from any library. Every function takes
NumPy arrays and gives NumPy arrays back, one value an image where it can.
"""

from tf_superpixel_saliency.metrics.certificates import Certificate, certified_overlap
from tf_superpixel_saliency.metrics.chance import ChanceCorrected, chance_corrected
from tf_superpixel_saliency.metrics.fidelity import (
    PerturbationCurve,
    deletion,
    insertion,
    perturbation_curve,
)
from tf_superpixel_saliency.metrics.fills import fill_images
from tf_superpixel_saliency.metrics.generalizability import (
    Generalizability,
    MeGe,
    ReCo,
    mege,
    mege_and_reco,
    reco,
)
from tf_superpixel_saliency.metrics.generalization_error import (
    GeneralizationError,
    generalization_error,
)
from tf_superpixel_saliency.metrics.independence import Independence, independence
from tf_superpixel_saliency.metrics.intervals import (
    Difference,
    Interval,
    bootstrap_interval,
    paired_difference,
    pooled_interval,
)
from tf_superpixel_saliency.metrics.mu_fidelity import (
    MuFidelity,
    SubsetDrops,
    correlate_drops,
    mu_fidelity,
    subset_drops,
)
from tf_superpixel_saliency.metrics.network_agreement import (
    NetworkAgreement,
    network_agreement,
)
from tf_superpixel_saliency.metrics.partition_risk import PartitionRisk, partition_risk
from tf_superpixel_saliency.metrics.randomization import randomize_layers
from tf_superpixel_saliency.metrics.ranking import pixel_orders, pixel_scores
from tf_superpixel_saliency.metrics.road import RoadCurve, road
from tf_superpixel_saliency.metrics.roar import (
    RoarCurve,
    random_order_maps,
    remove_top,
    roar,
    sobel_maps,
    top_masks,
)
from tf_superpixel_saliency.metrics.robustness import Robustness, robustness
from tf_superpixel_saliency.metrics.sanity import (
    RandomizationCheck,
    randomization_check,
)
from tf_superpixel_saliency.metrics.ssim import structural_similarity
from tf_superpixel_saliency.metrics.stability import (
    cosine_similarity,
    l2_distance,
    prediction_score,
    rank_correlation,
)
from tf_superpixel_saliency.metrics.theory import (
    LossGap,
    interpretation_loss,
    interpretation_loss_gap,
)
from tf_superpixel_saliency.metrics.uniform_stability import (
    GroupedStability,
    UniformStability,
    grouped_stability,
    uniform_stability,
)
from tf_superpixel_saliency.metrics.variance_split import (
    VarianceSplit,
    variance_split,
)
from tf_superpixel_saliency.metrics.verdicts import benjamini_hochberg, holm, verdict

__all__ = [
    "Certificate",
    "ChanceCorrected",
    "Difference",
    "Generalizability",
    "GeneralizationError",
    "GroupedStability",
    "Independence",
    "Interval",
    "LossGap",
    "MeGe",
    "MuFidelity",
    "NetworkAgreement",
    "PartitionRisk",
    "PerturbationCurve",
    "RandomizationCheck",
    "ReCo",
    "RoadCurve",
    "RoarCurve",
    "Robustness",
    "SubsetDrops",
    "UniformStability",
    "VarianceSplit",
    "benjamini_hochberg",
    "bootstrap_interval",
    "certified_overlap",
    "chance_corrected",
    "correlate_drops",
    "cosine_similarity",
    "deletion",
    "fill_images",
    "generalization_error",
    "grouped_stability",
    "holm",
    "independence",
    "insertion",
    "interpretation_loss",
    "interpretation_loss_gap",
    "l2_distance",
    "mege",
    "mege_and_reco",
    "mu_fidelity",
    "network_agreement",
    "paired_difference",
    "partition_risk",
    "perturbation_curve",
    "pixel_orders",
    "pixel_scores",
    "pooled_interval",
    "prediction_score",
    "random_order_maps",
    "randomization_check",
    "randomize_layers",
    "rank_correlation",
    "reco",
    "remove_top",
    "road",
    "roar",
    "robustness",
    "sobel_maps",
    "structural_similarity",
    "subset_drops",
    "top_masks",
    "uniform_stability",
    "variance_split",
    "verdict",
]
