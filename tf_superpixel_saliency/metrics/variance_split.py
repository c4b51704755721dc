"""Where the differences between networks' maps come from: components of variance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class VarianceSplit(NamedTuple):
    """Parts of the mean square of one map of one network, by method of moments.

    They are estimates without bias and so can be below 0. NaN is what the design can't
    tell. signal + networks + noise is `energy`, and data + initialisation (+
    interaction) is `networks`, where they can be told.

    Attributes:
        energy: mean square of one draw of one network's map.
        signal: of what all networks have in common.
        networks: between networks that differ in all the labels that were given, the
            noise of the maps taken off.
        data: of them, what other training data change.
        initialisation: of them, what another initialisation (and order) changes.
        interaction: of them, what the two change together.
        noise: between two draws of a network's noise samples, 0 for a method without.
        segmentation: between partitions.
    """

    energy: float
    signal: float
    networks: float
    data: float
    initialisation: float
    interaction: float
    noise: float
    segmentation: float


def variance_split(
    maps,
    data=None,
    initialisation=None,
    sizes=None,
    partitions=None,
) -> VarianceSplit:
    """Split the variance of networks' maps into data, initialisation, noise and so on.

    A random-effects model, y = signal + data + initialisation + interaction + noise,
    each effect of mean 0 and independent of the others. Half the mean square distance
    of two networks' maps, the noise taken off, is the sum of the effects in which the
    two differ, so that three kinds of pairs tell them apart:

    | the two have | tells |
    |---|---|
    | other data, the same initialisation | data + interaction |
    | the same data, another initialisation | initialisation + interaction |
    | both other | data + initialisation + interaction |

    With all three kinds the three are solved for. With two the interaction is taken
    to be 0 in the other two and is NaN itself. With one kind, the first or second
    tells data or initialisation and the third neither.

    Args:
        maps: (K, S, p, C) or (K, S, …) real, values of K networks from S draws of
            their noise each; S = 1 where a method draws none. K is at least 2.
        data: K labels of any type, equal for networks trained on the same data; None
            where nobody knows.
        initialisation: K labels likewise, of the initial weights (and the order of
            the batches).
        sizes: (p,) pixels of each group, None to weigh all values equally.
        partitions: (K, Q, H, W, C), the maps of each network grouped by Q partitions,
            the first of them that of `maps`; None where there is one.

    Returns:
        `VarianceSplit`, mean squares over all values (pixels and channels).

    Raises:
        ValueError: a single network, or labels that aren't K.
    """
    maps = np.asarray(maps, np.float64)
    if maps.ndim < 3 or len(maps) < 2:
        raise ValueError(
            "maps must be those of at least two networks, shape (K, S, …), but got "
            f"shape {maps.shape}."
        )
    number, draws = maps.shape[:2]
    mean_square = _weighted_mean(maps.shape[2:], sizes)
    noise = 0.0
    if draws > 1:
        noise = np.mean([mean_square(v) for v in maps.var(axis=1, ddof=1)])
    of_networks = maps.mean(axis=1)
    left = noise / draws
    halves = np.zeros((number, number))
    for k in range(number):
        for m in range(k):
            distance = (of_networks[k] - of_networks[m]) ** 2 / 2
            halves[k, m] = mean_square(distance) - left
    energy = mean_square(np.mean(maps**2, axis=(0, 1)))
    networks, *parts = _effects(
        halves,
        checked_labels("data", data, number),
        checked_labels("initialisation", initialisation, number),
    )
    return VarianceSplit(
        energy,
        energy - networks - noise,
        networks,
        *parts,
        noise,
        _between_partitions(partitions),
    )


def checked_labels(name: str, labels, number: int) -> list | None:
    """One label a network, or None; a ValueError that names them otherwise."""
    if labels is None:
        return None
    labels = list(labels)
    if len(labels) != number:
        raise ValueError(
            f"{name} must have one label for each of the {number} networks, but got "
            f"{len(labels)}."
        )
    return labels


def _weighted_mean(shape, sizes):
    """A function from values of that shape to their mean over the pixels."""
    if sizes is None:
        return lambda values: float(np.mean(values))
    weights = np.broadcast_to(
        np.reshape(sizes, (-1, *[1] * (len(shape) - 1))), shape
    ).astype(np.float64)
    weights = weights / weights.sum()
    return lambda values: float(np.sum(weights * values))


def _effects(halves, data, initialisation):
    """networks, data, initialisation and interaction from half distances of pairs.

    Args:
        halves: (K, K), below the diagonal.
        data, initialisation: K labels, or None.
    """
    kinds: dict = {}
    for k in range(len(halves)):
        for m in range(k):
            kind = tuple(
                labels is not None and labels[k] != labels[m]
                for labels in (data, initialisation)
            )
            kinds.setdefault(kind, []).append(halves[k, m])
    found = {kind: float(np.mean(values)) for kind, values in kinds.items()}
    if data is None or initialisation is None:
        # The most that is known to differ.
        return found[max(found)], np.nan, np.nan, np.nan
    of_data, of_start, of_both = (
        found.get(kind) for kind in ((True, False), (False, True), (True, True))
    )
    told = [one is not None for one in (of_data, of_start, of_both)]
    if all(told):
        parts = of_both - of_start, of_both - of_data, of_data + of_start - of_both
        return of_both, *parts
    if told[2] and told[0]:
        return of_both, of_data, of_both - of_data, np.nan
    if told[2] and told[1]:
        return of_both, of_both - of_start, of_start, np.nan
    if told[0] and told[1]:
        return of_data + of_start, of_data, of_start, np.nan
    of_data, of_start = (
        one if one is not None else np.nan for one in (of_data, of_start)
    )
    return found[max(found)], of_data, of_start, np.nan


def _between_partitions(partitions):
    """The partitions' component in a table of networks × partitions.

    E[MS of partitions] = σ²(rest) + K·σ²(partitions), E[MS of the rest] = σ²(rest).
    """
    if partitions is None or np.shape(partitions)[1] < 2:
        return np.nan
    table = np.asarray(partitions, np.float64)
    rows, columns = table.shape[:2]
    of_partitions, of_networks = table.mean(axis=0), table.mean(axis=1)
    rest = table - of_partitions[None] - of_networks[:, None] + table.mean((0, 1))
    of_rest = np.sum(rest**2, axis=(0, 1)) / ((rows - 1) * (columns - 1))
    between = of_partitions.var(axis=0, ddof=1)
    return float(np.mean(between - of_rest / rows))
