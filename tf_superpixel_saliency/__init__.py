"""Stable super-pixel saliency maps for Keras image classifiers.

    import tf_superpixel_saliency as tss

    explainer = tss.SmoothGrad(model, superpixels=tss.Quickshift())
    out = explainer(images)
    out["heatmaps"], out["segments"], out["targets"], out["scores"]

An explainer is a `keras.Model` and a super-pixel partition a `keras.layers.Layer`,
both written in TensorFlow operations. The method is that of Gong et al., 'A
Super-pixel-based Approach to the Stable Interpretation of Neural Networks', BMVC 2024.
"""

from tf_superpixel_saliency.requirements import check_backend, quieten_command

check_backend()
quieten_command()

from tf_superpixel_saliency import (  # noqa: E402
    callbacks,
    demo,
    distributed,
    metrics,
    plots,
)
from tf_superpixel_saliency.consensus import Consensus, ConsensusMaps  # noqa: E402
from tf_superpixel_saliency.explainers import (  # noqa: E402
    LIME,
    RISE,
    XRAI,
    GradCAM,
    IntegratedGradients,
    ScoreCAM,
    SimpleGradient,
    SmoothGrad,
    SparsifiedSmoothGrad,
)
from tf_superpixel_saliency.explanations import (  # noqa: E402
    Explainable,
    Explanation,
    explainable,
)
from tf_superpixel_saliency.layers import GroupIndicator, GroupMean  # noqa: E402
from tf_superpixel_saliency.mapping import group_map  # noqa: E402
from tf_superpixel_saliency.serving import export  # noqa: E402
from tf_superpixel_saliency.superpixels import (  # noqa: E402
    SLIC,
    CompactWatershed,
    Felzenszwalb,
    Quickshift,
    RandomPartition,
    SquareGrid,
)
from tf_superpixel_saliency.superpixels.choice import SuperpixelChoice  # noqa: E402
from tf_superpixel_saliency.version import __version__  # noqa: E402

__all__ = [
    "LIME",
    "RISE",
    "SLIC",
    "XRAI",
    "CompactWatershed",
    "Consensus",
    "ConsensusMaps",
    "Explainable",
    "Explanation",
    "Felzenszwalb",
    "GradCAM",
    "GroupIndicator",
    "GroupMean",
    "IntegratedGradients",
    "Quickshift",
    "RandomPartition",
    "ScoreCAM",
    "SimpleGradient",
    "SmoothGrad",
    "SparsifiedSmoothGrad",
    "SquareGrid",
    "SuperpixelChoice",
    "__version__",
    "callbacks",
    "demo",
    "distributed",
    "explainable",
    "export",
    "group_map",
    "metrics",
    "plots",
]
