"""Slow twin of the adaptive rule: the inverse distribution by np.interp, float64."""

import numpy as np


def adaptive(scores, num_steps, uniform_share):
    """(G, N) scores on an even grid → nodes and weights, (num_steps, N) each."""
    scores = np.asarray(scores, np.float64)
    nodes, weights = [], []
    for row in scores.T:
        change = np.abs(np.diff(row))
        even = np.full(len(change), 1 / len(change))
        total = change.sum()
        share = change / total if np.isfinite(total) and total > 0 else even
        density = (1 - uniform_share) * share + uniform_share * even
        cumulative = np.concatenate([[0], np.cumsum(density)])
        cumulative /= cumulative[-1]
        grid = np.linspace(0, 1, len(row))
        edges = np.interp(np.linspace(0, 1, num_steps + 1), cumulative, grid)
        nodes.append((edges[1:] + edges[:-1]) / 2)
        weights.append(np.diff(edges))
    return np.array(nodes).T, np.array(weights).T
