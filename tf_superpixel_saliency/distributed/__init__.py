"""Many images on several processes or machines, by Ray: needs the extra `ray`."""

from tf_superpixel_saliency.distributed.results import read_results
from tf_superpixel_saliency.distributed.running import RunSummary, explain_dataset

__all__ = ["RunSummary", "explain_dataset", "read_results"]
