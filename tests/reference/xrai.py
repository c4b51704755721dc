"""A slow twin of XRAI: boolean masks, one region at a time, float64."""

import numpy as np
from scipy import ndimage

from tests.reference import explainers


def masks(partitions, dilation=0):
    """(R, H, W) labels → the regions' masks, by partition and label."""
    found = [one == label for one in partitions for label in np.unique(one)]
    if not dilation:
        return found
    rows, columns = np.indices((2 * dilation + 1,) * 2) - dilation
    disk = rows**2 + columns**2 <= dilation**2
    return [ndimage.binary_dilation(mask, disk) for mask in found]


def cover(values, regions, min_pixels, algorithm="full"):
    """The list of (added mask, gain), in the order in which they were added."""
    values, trace = np.array(values, np.float64), []
    uncovered = np.ones(values.shape, bool)
    waiting = list(regions)
    if algorithm == "fast":
        waiting.sort(key=lambda region: -values[region].mean())
    while waiting:
        waiting = [w for w in waiting if (w & uncovered).sum() >= min_pixels]
        if not waiting:
            break
        gains = [values[w & uncovered].mean() for w in waiting]
        best = 0 if algorithm == "fast" else int(np.argmax(gains))
        added = waiting.pop(best) & uncovered
        trace.append((added, gains[best]))
        uncovered &= ~added
    if uncovered.any():
        trace.append((uncovered, values[uncovered].mean()))
    return trace


def rank(values, partitions, min_pixels, algorithm="full", dilation=0):
    """Gains (H, W), and the numbers (H, W) of the pieces in the order of adding."""
    gains, pieces = np.zeros(values.shape), np.zeros(values.shape, int)
    trace = cover(values, masks(partitions, dilation), min_pixels, algorithm)
    for number, (added, gain) in enumerate(trace):
        gains[added], pieces[added] = gain, number
    return gains, pieces


def attribution(network, image, target, num_steps):
    """IntegratedGradients from black and white, averaged, highest over channels."""
    both = [
        explainers.integrated_gradients(
            network, image, target, np.full(image.shape, end), "midpoint", num_steps
        )
        for end in (np.float64(image.min()), np.float64(image.max()))
    ]
    return np.mean(both, axis=0).max(axis=-1)
