"""Super-pixel layers: `images -> segments`, one algorithm a file."""

from tf_superpixel_saliency.superpixels.compact_watershed import CompactWatershed
from tf_superpixel_saliency.superpixels.felzenszwalb import Felzenszwalb
from tf_superpixel_saliency.superpixels.quickshift import Quickshift
from tf_superpixel_saliency.superpixels.random_partition import RandomPartition
from tf_superpixel_saliency.superpixels.slic import SLIC
from tf_superpixel_saliency.superpixels.square_grid import SquareGrid

__all__ = [
    "SLIC",
    "CompactWatershed",
    "Felzenszwalb",
    "Quickshift",
    "RandomPartition",
    "SquareGrid",
]
