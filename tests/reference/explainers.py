"""Slow twins of the gradient methods, in float64, one image and one point at a time.

A network has `score(images, targets)` and `gradient(images, targets)`; `segment` is
a function (H, W, C) → (H, W) labels, or None for pixel maps.
"""

import functools

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


def noisy(image, noise_level, seed, num_samples, antithetic=True):
    """List of noisy copies of an image; antithetic ones in pairs of opposite noise."""
    image = np.array(image, np.float64)
    sigma = noise_level * (image.max() - image.min())
    copies = []
    for sample in range(num_samples):
        if antithetic:
            noise = (-1) ** sample * normal(image.shape, seed, sample // 2)
        else:
            noise = normal(image.shape, seed, sample)
        copies.append(image + sigma * noise)
    return copies


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


def quadrature(name, num_steps, known_at):
    """Nodes and weights on [0, 1]; `known_at` (adaptive) is a function of α."""
    if name == "midpoint":
        return (np.arange(num_steps) + 0.5) / num_steps, np.ones(num_steps) / num_steps
    if name == "trapezoid":
        return _trapezoid(np.arange(num_steps) / (num_steps - 1))
    if name == "gauss_legendre":
        return _gauss_legendre(num_steps)
    return _trapezoid(adaptive_nodes(num_steps, known_at))


def _trapezoid(nodes):
    steps = np.diff(nodes)
    return nodes, (np.append(steps, 0) + np.append(0, steps)) / 2


def adaptive_nodes(num_steps, known_at):
    """Nine even nodes, 4, 4 and 8 more, then the rest, each where it helps most."""
    nodes = np.linspace(0, 1, min(9, num_steps))
    for budget in (4, 4, 8, num_steps):
        errors = interval_errors(nodes, known_at)
        parts = np.ones(len(errors), int)
        for _ in range(min(budget, num_steps - len(nodes))):
            parts[np.argmax(errors * (1 / parts**2 - 1 / (parts + 1) ** 2))] += 1
        pieces = zip(nodes, np.diff(nodes), parts)
        nodes = np.append(
            np.concatenate([a + h * np.arange(n) / n for a, h, n in pieces]), 1.0
        )
    return nodes


def interval_errors(nodes, known_at):
    """h² ‖Δ‖² / 12 and the map for what the score says was missed, of each interval.

    At least a thousandth of their mean. `known_at(α)`: a map in groups, its sum over
    the pixels before grouping, and the score.
    """
    known = [known_at(node) for node in nodes]
    squares = sum((one**2).sum() for one, _, _ in known)
    per_score = squares / sum(total**2 for _, total, _ in known)
    errors = []
    for i in range(len(nodes) - 1):
        h = nodes[i + 1] - nodes[i]
        (map_a, sum_a, score_a), (map_b, sum_b, score_b) = known[i : i + 2]
        seen = h * (sum_a + sum_b) / 2
        missed = (score_b - score_a - seen) ** 2 * per_score
        errors.append(h**2 * ((map_b - map_a) ** 2).sum() / 12 + missed)
    return np.maximum(errors, 1e-3 * np.mean(errors))


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

    @functools.cache
    def known_at(alpha):
        point = start + alpha * difference
        one = difference * network.gradient(point[None], [target])[0]
        score = network.score(point[None], [target])[0]
        return grouped(one, labels_of(point)), one.sum(), score

    nodes, weights = quadrature(rule, num_steps, known_at)
    return sum(weight * known_at(alpha)[0] for alpha, weight in zip(nodes, weights))
