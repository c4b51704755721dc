"""All results of the paper by the name of their command."""

from __future__ import annotations

from tf_superpixel_saliency.paper import (
    algorithms,
    beyond_certificates,
    beyond_consensus,
    beyond_families,
    beyond_risk,
    beyond_weights,
    claims,
    cost,
    distance,
    dynamic,
    fidelity,
    generalizability,
    one_image,
    orthogonality,
    pictures,
    regions,
    road,
    roar,
    robustness,
    sanity,
    stability,
    theory,
    tradeoff,
)
from tf_superpixel_saliency.paper.experiment import Experiment
from tf_superpixel_saliency.paper.index import write_index

_ALL = (
    ("figure-1", "two networks' maps of one photo", pictures.run_figure_1),
    ("table-1", "fidelity: four methods, four partitions", fidelity.run),
    (
        "table-1-factorial",
        "Deletion and Insertion under every choice the paper leaves open",
        fidelity.run_factorial,
    ),
    (
        "figure-2-photos",
        "agreement between architectures, on photos",
        stability.run_photos,
    ),
    (
        "figure-2-cifar10",
        "agreement of networks of other data and other initialisations",
        stability.run_small,
    ),
    (
        "figure-2-regions-photos",
        "against Grad-CAM, Score-CAM, LIME, RISE and XRAI, on photos",
        regions.run_photos,
    ),
    (
        "figure-2-regions-cifar10",
        "the same on CIFAR-10",
        regions.run_small,
    ),
    ("figure-2-mege", "MeGe and ReCo on five folds", generalizability.run),
    ("figure-3", "four methods, pixels and super-pixels", pictures.run_figure_3),
    ("figure-4", "sizes and algorithms of super-pixels", pictures.run_figure_4),
    (
        "figure-5-tradeoff",
        "stability against fidelity, max_dist 1 to 8",
        tradeoff.run,
    ),
    ("figure-5-road-cifar10", "ROAD on test images", road.run_small),
    ("figure-5-road-photos", "ROAD on photos", road.run_photos),
    ("figure-5-roar", "ROAR: trained anew without the top pixels", roar.run),
    (
        "figure-5-distance",
        "distance to the pixel gradient over size and noise",
        distance.run,
    ),
    ("algorithms", "§4.2: four algorithms, four sizes", algorithms.run),
    ("orthogonality", "§5: noise and grouping, 2×2", orthogonality.run),
    (
        "dynamic-partition",
        "§3.2: a partition for each noisy or interpolated copy",
        dynamic.run,
    ),
    ("propositions", "Propositions 1 and 2 on real pairs", theory.run_propositions),
    ("independence", "§3.3: is noise independent?", theory.run_independence),
    ("definition-2", "the generalisation error", theory.run_generalization),
    ("definition-3", "one training image replaced; Proposition 3", one_image.run),
    ("sanity", "layers randomised one by one", sanity.run),
    ("robustness", "a little noise in the image", robustness.run),
    ("cost", "segmentation, gradient and grouping apart", cost.run),
    (
        "beyond-weights",
        "beyond the paper: a group's mean, or its sum over √|S|",
        beyond_weights.run,
    ),
    (
        "beyond-risk",
        "beyond the paper: the partition found automatically",
        beyond_risk.run,
    ),
    (
        "beyond-prediction",
        "beyond the paper: methods ranked by what they predict",
        beyond_risk.run_prediction,
    ),
    (
        "beyond-consensus",
        "beyond the paper: what several networks have in common",
        beyond_consensus.run,
    ),
    (
        "beyond-families",
        "beyond the paper: several partitions at once",
        beyond_families.run,
    ),
    (
        "beyond-certificates",
        "beyond the paper: what no small change of the image can move",
        beyond_certificates.run,
    ),
    ("claims", "the paper's claims, judged by the tables made so far", claims.run),
)
EXPERIMENTS = {entry[0]: Experiment(*entry) for entry in _ALL}
EXPERIMENTS["index"] = Experiment(
    "index",
    "a page of links to the tables made so far",
    lambda setting: write_index(setting, EXPERIMENTS),
)
