"""What several networks say of the same images, and which of it can be trusted."""

from tf_superpixel_saliency.consensus.consensus import Consensus
from tf_superpixel_saliency.consensus.maps import ConsensusMaps

__all__ = ["Consensus", "ConsensusMaps"]
