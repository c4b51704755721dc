"""Several networks' maps, value by value: what they have in common, and how surely."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.verdicts import benjamini_hochberg


class NetworkAgreement(NamedTuple):
    """What `network_agreement` returns, each of the shape of one network's values.

    Attributes:
        mean: over the networks.
        standard_error: of that mean, s/√K, s² with K − 1: how far the mean of K other
            trainings of the same kind might lie.
        sign_agreement: the share of networks whose value has the mean's sign, 0 where
            the mean is 0. By chance it is above ½: 0.75 for three networks.
        p_values: two-sided, of a mean of 0, by Student's t with K − 1 degrees.
        adjusted: those after Benjamini and Hochberg, over all values of an image.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    sign_agreement: np.ndarray
    p_values: np.ndarray
    adjusted: np.ndarray


def network_agreement(values) -> NetworkAgreement:
    """The mean over networks, its error between them, signs, and what is significant.

    Each network counts as one draw of a training. The test takes its values for
    normal, and few networks tell little: three of them have two degrees of freedom.

    Args:
        values: (K, …) real, what K networks say of one image: one number a group (and
            channel), such as the groups' means. One family of tests. K is at least 2.

    Returns:
        `NetworkAgreement(mean, standard_error, sign_agreement, p_values, adjusted)`.

    Raises:
        ValueError: a single network, or values that are not finite.

    Example:

    >>> found = network_agreement([[1.0, 3.0], [2.0, -1.0], [3.0, -2.0]])
    >>> found.mean.tolist(), found.sign_agreement.round(2).tolist()
    ([2.0, 0.0], [1.0, 0.0])
    >>> found.p_values.round(3).tolist()  # t = 2 / (1/√3) with 2 degrees of freedom
    [0.074, 1.0]
    """
    from scipy import special

    values = np.asarray(values, np.float64)
    if values.ndim < 2 or len(values) < 2:
        raise ValueError(
            "values must be those of at least two networks, shape (K, …), but got "
            f"shape {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError(
            "values must be finite. Leave out the networks or images without a map."
        )
    number = len(values)
    mean = values.mean(axis=0)
    error = values.std(axis=0, ddof=1) / np.sqrt(number)
    # Equal values have an error of rounding, and are no miracle of significance.
    error[error <= 1e-12 * np.abs(values).max(axis=0)] = 0.0
    signs = np.mean(np.sign(values) == np.sign(mean), axis=0)
    signs[mean == 0] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.abs(mean) / error
    size[(mean == 0) & (error == 0)] = 0.0
    p_values = 2 * special.stdtr(number - 1, -size)
    return NetworkAgreement(mean, error, signs, p_values, benjamini_hochberg(p_values))
