"""Slow twins of the resampling: every resample there is, with its probability."""

from __future__ import annotations

import itertools


def nested(groups):
    """[(mean, probability)] of clusters drawn first, then values inside each."""
    found = []
    for clusters in itertools.product(groups, repeat=len(groups)):
        draws = [itertools.product(values, repeat=len(values)) for values in clusters]
        outcomes = list(itertools.product(*draws))
        for outcome in outcomes:
            values = [v for drawn in outcome for v in drawn]
            chance = 1 / len(groups) ** len(groups) / len(outcomes)
            found.append((sum(values) / len(values), chance))
    return found


def crossed(table):
    """[(mean, probability)] of rows and columns drawn independently.

    None in a table is no value; resamples without any value don't count.
    """
    rows, columns = len(table), len(table[0])
    found = []
    for chosen_rows in itertools.product(range(rows), repeat=rows):
        for chosen_columns in itertools.product(range(columns), repeat=columns):
            values = [table[r][c] for r in chosen_rows for c in chosen_columns]
            values = [v for v in values if v is not None]
            if values:
                found.append(sum(values) / len(values))
    return [(mean, 1 / len(found)) for mean in found]


def holm(p_values):
    """Adjusted p-values: the smallest level at which each step-down test rejects."""
    ordered = sorted(p_values)
    adjusted = []
    for p in p_values:
        steps = [(len(ordered) - i) * q for i, q in enumerate(ordered) if q <= p]
        adjusted.append(min(1.0, max(steps)))
    return adjusted
