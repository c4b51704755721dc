"""Slow twins of the group functions: loops over pixels and masks, float64."""

import numpy as np


def number(labels):
    """(N, H, W) of any labels → int32, 0…p−1 in raster order of first appearance."""
    labels = np.asarray(labels)
    numbered = np.empty(labels.shape, np.int32)
    for image in range(labels.shape[0]):
        seen = {}
        for i in range(labels.shape[1]):
            for j in range(labels.shape[2]):
                key = labels[image, i, j].item()
                numbered[image, i, j] = seen.setdefault(key, len(seen))
    return numbered


def count(segments):
    """(N, H, W) → (N,), how many different labels each image has."""
    return np.array([len(set(image.ravel().tolist())) for image in segments])


def mean(maps, segments):
    """(N, H, W, C) and (N, H, W) → the mean of every group, at its pixels."""
    result = np.empty(maps.shape, np.float64)
    for image, labels in enumerate(segments):
        for label in np.unique(labels):
            inside = labels == label
            values = maps[image][inside].astype(np.float64)
            result[image][inside] = values.mean(axis=0)
    return result


def spread(indicators, segments):
    """(N, p, C) and (N, H, W) → A·W·g with A and W as matrices, (N, H, W, C)."""
    result = []
    for g, labels in zip(indicators, segments):
        incidence = labels.reshape(-1, 1) == np.arange(len(g))
        sizes = incidence.sum(axis=0)
        weights = np.diag(1 / np.maximum(sizes, 1))
        values = incidence.astype(np.float64) @ weights @ g.astype(np.float64)
        result.append(values.reshape(*labels.shape, -1))
    return np.stack(result)


def weighted(maps, segments, weights):
    """A·W·Aᵀ·map with A and W as matrices: W is diag(1/|S|) or diag(1/√|S|)."""
    result = []
    for one, labels in zip(maps, segments):
        incidence = labels.reshape(-1, 1) == np.unique(labels)
        incidence = incidence.astype(np.float64)
        power = {"mean": 1.0, "sqrt": 0.5}[weights]
        diagonal = np.diag(incidence.sum(axis=0) ** -power)
        flat = one.reshape(labels.size, -1).astype(np.float64)
        result.append((incidence @ diagonal @ incidence.T @ flat).reshape(one.shape))
    return np.stack(result)
