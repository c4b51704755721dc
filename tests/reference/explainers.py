"""Slow twins of the gradient methods, in float64, one image and one point at a time.

A network has `score(images, targets)` and `gradient(images, targets)`; `segment` is
a function (H, W, C) → (H, W) labels, or None for pixel maps.
"""

import numpy as np
import tensorflow as tf
from scipy import ndimage

from tests.reference import groups


def normal(shape, seed, sample):
    """The noise of (seed, sample): Philox bits, upper 24 of them, Box and Muller."""
    size = int(np.prod(shape))
    half = (size + 1) // 2
    bits = tf.random.stateless_uniform(
        [2, half], [seed, sample], None, None, tf.uint32, alg="philox"
    ).numpy()
    uniform = ((bits >> 8).astype(np.float64) + 0.5) / 2**24
    radius = np.sqrt(-2 * np.log(uniform[0]))
    angle = 2 * np.pi * uniform[1]
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return both[:size].reshape(shape)


def noisy(image, noise_level, seed, num_samples):
    """List of noisy copies of an image."""
    image = np.array(image, np.float64)
    sigma = noise_level * (image.max() - image.min())
    return [image + sigma * normal(image.shape, seed, s) for s in range(num_samples)]


def blur(image, sigma):
    """Gaussian smoothing over height and width, mirrored, cut at 4 sigma."""
    if sigma == 0:
        return np.array(image, np.float64)
    return ndimage.gaussian_filter(
        np.array(image, np.float64), (sigma, sigma, 0), mode="reflect", truncate=4.0
    )


def grouped(one_map, labels):
    """Means in groups, (H, W, C); labels None leave the map."""
    if labels is None:
        return one_map
    return groups.mean(one_map[None], labels[None])[0]


def dynamic_labels(point, segment, sigma, value_range=(0, 255)):
    """Labels of a point that is clipped and smoothed first."""
    return segment(blur(np.clip(point, *value_range), sigma))


def simple_gradient(network, image, target, labels=None):
    return grouped(network.gradient(image[None], [target])[0], labels)


def smooth_grad(network, image, target, points, labels):
    """Mean over points of the gradient in the groups of `labels`, one a point."""
    maps = [
        grouped(network.gradient(point[None], [target])[0], one)
        for point, one in zip(points, labels)
    ]
    return np.mean(maps, axis=0)


def sparsified(gradient, top, saturation=None):
    """h(|gradient|): the largest ⌈top·d⌉ values, those equal to the last kept too."""
    size = np.abs(gradient)
    ranked = np.sort(size.ravel())[::-1]
    kept = (size >= ranked[int(np.ceil(top * size.size)) - 1]) & (size > 0)
    if saturation is None:
        return kept.astype(np.float64), kept.mean()
    level = ranked[int(np.ceil(saturation * size.size)) - 1]
    return kept * np.minimum(size / level, 1), kept.mean()


def sparsified_smooth_grad(
    network, image, target, points, labels, order, top, saturation=None
):
    """The map, and the mean share kept."""
    maps, shares = [], []
    for point, one in zip(points, labels):
        gradient = network.gradient(point[None], [target])[0]
        if order == "sparsify_last":
            gradient = grouped(gradient, one)
        kept, share = sparsified(gradient, top, saturation)
        maps.append(grouped(kept, one))
        shares.append(share)
    return np.mean(maps, axis=0), np.mean(shares)


def quadrature(name, num_steps, score_along_path):
    """Nodes and weights on [0, 1]; `score_along_path` is a function of α."""
    if name == "midpoint":
        return (np.arange(num_steps) + 0.5) / num_steps, np.ones(num_steps) / num_steps
    if name == "trapezoid":
        nodes = np.arange(num_steps) / (num_steps - 1)
        weights = np.ones(num_steps) / (num_steps - 1)
        weights[0] = weights[-1] = weights[0] / 2
        return nodes, weights
    if name == "gauss_legendre":
        return _gauss_legendre(num_steps)
    scan = np.linspace(0, 1, 17)
    change = np.abs(np.diff([score_along_path(alpha) for alpha in scan]))
    density = 0.7 * change / change.sum() + 0.3 / 16
    cumulative = np.concatenate([[0], np.cumsum(density)])
    edges = np.interp(np.linspace(0, 1, num_steps + 1), cumulative, scan)
    return (edges[1:] + edges[:-1]) / 2, np.diff(edges)


def _gauss_legendre(count):
    # Golub and Welsch: eigenvalues of the Jacobi matrix of the Legendre polynomials.
    k = np.arange(1, count)
    side = k / np.sqrt(4 * k**2 - 1)
    nodes, vectors = np.linalg.eigh(np.diag(side, 1) + np.diag(side, -1))
    return (nodes + 1) / 2, vectors[0] ** 2


def integrated_gradients(
    network, image, target, start, rule, num_steps, labels_of=lambda point: None
):
    """The map, grouped by the labels that `labels_of` gives for each point."""
    image, start = np.array(image, np.float64), np.array(start, np.float64)
    difference = image - start

    def score(alpha):
        return network.score((start + alpha * difference)[None], [target])[0]

    total = np.zeros_like(image)
    for alpha, weight in zip(*quadrature(rule, num_steps, score)):
        point = start + alpha * difference
        share = weight * difference * network.gradient(point[None], [target])[0]
        total += grouped(share, labels_of(point))
    return total
