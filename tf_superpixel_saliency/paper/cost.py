"""The appendix's cost analysis: segmentation, gradient and grouping apart."""

from __future__ import annotations

import statistics
import time

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.ops.groups import group_mean
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.superpixels import SLIC, Quickshift

_BATCHES = (1, 32)
_REPEATS = 7


def run(setting: Setting) -> None:
    """Milliseconds an image, the median of seven, each part beside the others."""
    _, images = setting.photos(max(_BATCHES))
    network = setting.photo_networks[0]
    layers = {
        "Quickshift": Quickshift(),
        "Quickshift, kernel_size 3": Quickshift(kernel_size=3),
        "SLIC 1500": SLIC(n_segments=1500),
    }
    rows = []
    for count in _BATCHES:
        batch = tf.constant(images[:count])
        timed, groups = {}, {}
        for method in setting.methods():
            explainer = method.explainer(network.model)
            timed[method.name] = lambda e=explainer, b=batch: e(b)
        for name, layer in layers.items():
            segments = layer(batch)
            groups[name] = parts.group_counts(segments.numpy(), batch)
            timed[name] = lambda s=layer, b=batch: s(b)
            timed[f"grouping by {name}"] = _grouping(batch, segments)
        found = _alternating(timed, setting)
        plain = found["SimpleGradient"]
        for name, seconds in found.items():
            counts = groups.get(name.removeprefix("grouping by "))
            rows.append(
                {
                    "photos a call": count,
                    "what": name,
                    "groups": "–" if counts is None else int(np.median(counts)),
                    "ms a photo": 1000 * seconds / count,
                    "in plain gradients": seconds / plain,
                }
            )
    notes = (
        f"{tf.config.threading.get_intra_op_parallelism_threads() or 'All'} cores of "
        "one machine without a GPU; the calls take turns, so that a busy machine "
        f"slows all of them alike; median of {_REPEATS}.",
    )
    title = "Cost on EfficientNet-Lite0 at 224×224"
    setting.write_table(Table("cost", title, rows, notes))


def _grouping(batch, segments):
    function = tf.function(group_mean, autograph=False)
    return lambda: function(batch, segments)


def _alternating(timed, setting):
    """Name → median seconds; the first call of each, which compiles, isn't counted."""
    for call in timed.values():
        call()
    seconds = {name: [] for name in timed}
    for _ in setting.progress(range(_REPEATS), "cost"):
        for name, call in timed.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
