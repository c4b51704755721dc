"""Slow twins of GradCAM, ScoreCAM and RISE, in float64, pixel by pixel."""

import math

import numpy as np


def interpolated(line, place):
    """A line of values between its pixel centres, the nearest one outside."""
    place = min(max(place, 0.0), len(line) - 1.0)
    below = math.floor(place)
    above = min(below + 1, len(line) - 1)
    return (1 - (place - below)) * line[below] + (place - below) * line[above]


def resized(image, height, width):
    """(h, w) → (height, width): bilinear between pixel centres."""
    image = np.array(image, np.float64)
    rows = np.zeros((height, image.shape[1]))
    for i in range(height):
        place = (i + 0.5) * image.shape[0] / height - 0.5
        for column in range(image.shape[1]):
            rows[i, column] = interpolated(image[:, column], place)
    out = np.zeros((height, width))
    for j in range(width):
        place = (j + 0.5) * image.shape[1] / width - 0.5
        for i in range(height):
            out[i, j] = interpolated(rows[i], place)
    return out


def convolved(x, kernel, stride):
    """(N, h, w, in) → (N, h', w', out), no padding."""
    height, width = kernel.shape[:2]
    rows = range(0, x.shape[1] - height + 1, stride)
    columns = range(0, x.shape[2] - width + 1, stride)
    out = np.zeros((len(x), len(rows), len(columns), kernel.shape[3]))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            window = x[:, top : top + height, left : left + width]
            out[:, i, j] = np.tensordot(window, kernel, axes=3)
    return out


def softmax(values):
    raised = np.exp(values - np.max(values))
    return raised / raised.sum()


def dense_gradient(features, kernel, bias, target, logit=False):
    """∇ of a class's score in features (h, w, K), flattened to a dense layer."""
    logits = features.ravel() @ kernel + bias
    if logit:
        return kernel[:, target].reshape(features.shape)
    p = softmax(logits)
    back = p[target] * (kernel[:, target] - kernel @ p)
    return back.reshape(features.shape)


def grad_cam(features, gradient, size, relu=True):
    """(h, w, K) features and gradient → (H, W)."""
    coarse = np.zeros(features.shape[:2])
    for k in range(features.shape[2]):
        coarse += gradient[..., k].mean() * features[..., k]
    if relu:
        coarse = np.maximum(coarse, 0)
    return resized(coarse, *size)


def score_cam(image, features, score, fill=0.0, relu=True, weighting="increase"):
    """(H, W, C) image, (h, w, K) features, `score` of an image → (H, W)."""
    image = np.array(image, np.float64)
    blank = np.zeros_like(image) + np.asarray(fill)
    increases = []
    for k in range(features.shape[2]):
        mask = resized(features[..., k], *image.shape[:2])
        spread = mask.max() - mask.min()
        mask = (mask - mask.min()) / spread if spread > 0 else np.zeros_like(mask)
        shown = blank + mask[..., None] * (image - blank)
        increases.append(score(shown) - score(blank))
    weights = softmax(increases) if weighting == "softmax" else increases
    coarse = sum(w * features[..., k] for k, w in enumerate(weights))
    if relu:
        coarse = np.maximum(coarse, 0)
    return resized(coarse, *image.shape[:2])


def smooth_mask(bits, size, grid, probability):
    """(grid² + 2,) uint32 → (H, W): cells in rows, then the two shifts."""
    top = [int(b) >> 8 for b in bits]
    limit = round(probability * 2**24)
    cells = np.reshape([float(b < limit) for b in top[:-2]], (grid, grid))
    cell = [math.ceil(length / grid) for length in size]
    shift = [top[axis - 2] * cell[axis] // 2**24 for axis in (0, 1)]
    large = resized(cells, (grid + 1) * cell[0], (grid + 1) * cell[1])
    return large[shift[0] : shift[0] + size[0], shift[1] : shift[1] + size[1]]


def rise(image, masks, score, fill=0.0, probability=None):
    """Σ score(masked image)·mask over Σ mask, or over the masks' expected sum."""
    image = np.array(image, np.float64)
    blank = np.zeros_like(image) + np.asarray(fill)
    total, seen = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for mask in masks:
        total += score(blank + mask[..., None] * (image - blank)) * mask
        seen += mask
    if probability is not None:
        return total / (len(masks) * probability)
    return np.where(seen > 0, total / np.where(seen > 0, seen, 1), 0)
