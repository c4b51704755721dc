"""Pictures of explanations: arrays in, matplotlib Axes out.

Nothing here shows or saves a figure. Functions for one picture draw in the Axes they
are given, or in a new figure; `plot_grid` and `plot_explanation` fill a whole figure,
a new one or the one they are given. `axes.figure.savefig("name.png")` writes it.
"""

from tf_superpixel_saliency.ops.reductions import top_groups
from tf_superpixel_saliency.plots.canvas import new_figure
from tf_superpixel_saliency.plots.consensus import plot_consensus
from tf_superpixel_saliency.plots.explanation import plot_explanation
from tf_superpixel_saliency.plots.grid import plot_grid
from tf_superpixel_saliency.plots.maps import plot_map, plot_overlay
from tf_superpixel_saliency.plots.outlines import plot_groups, plot_top_groups
from tf_superpixel_saliency.plots.studies import (
    plot_certificate,
    plot_curves,
    plot_measure,
    plot_tradeoff,
    study_figure,
)
from tf_superpixel_saliency.plots.uncertainty import plot_uncertainty

__all__ = [
    "new_figure",
    "plot_certificate",
    "plot_consensus",
    "plot_curves",
    "plot_explanation",
    "plot_grid",
    "plot_groups",
    "plot_map",
    "plot_measure",
    "plot_overlay",
    "plot_top_groups",
    "plot_tradeoff",
    "plot_uncertainty",
    "study_figure",
    "top_groups",
]
