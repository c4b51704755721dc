"""Pixel maps blurred as much as a partition smooths them, a control for grouping."""

from __future__ import annotations

import numpy as np

_MAX_SIGMA = 60.0


def matched_sigmas(maps: np.ndarray, grouped: np.ndarray) -> np.ndarray:
    """The blur of each map after which as much energy remains as after grouping.

    Args:
        maps: (N, H, W, C) ungrouped maps m₀.
        grouped: (N, H, W, C) the same, grouped: the energy that remains is
            ‖grouped‖² / ‖m₀‖².

    Returns:
        (N,) float64, standard deviations in pixels, by bisection to 1 %.
    """
    return np.array([_matched_sigma(*pair) for pair in zip(maps, grouped)])


def _matched_sigma(one_map, grouped):
    wanted = float(np.sum(np.square(grouped, dtype=np.float64)))
    low, high = 0.0, _MAX_SIGMA
    while high - low > 0.01 * high:
        middle = (low + high) / 2
        blurred = gaussian_blur(one_map[None], [middle])
        remains = float(np.sum(np.square(blurred, dtype=np.float64)))
        low, high = (middle, high) if remains > wanted else (low, middle)
        if high < 0.05:
            return 0.0
    return (low + high) / 2


def gaussian_blur(maps: np.ndarray, sigmas) -> np.ndarray:
    """Each map blurred over height and width by its own sigma, edges mirrored.

    Args:
        maps: (N, H, W, C).
        sigmas: (N,) pixels; 0 leaves a map as it is.
    """
    from scipy import ndimage

    return np.stack(
        [
            one if sigma == 0 else ndimage.gaussian_filter(one, (sigma, sigma, 0))
            for one, sigma in zip(maps, sigmas)
        ]
    )
