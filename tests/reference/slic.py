"""SLIC as it is usually written: centre by centre, then a flood fill. NumPy only."""

from __future__ import annotations

import numpy as np

_STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def cluster(colors, centres, window, step, rounds, spacing=(1, 1), adaptive=False):
    """Windowed k-means: (H, W, C) and (p, 2) → (H, W) int, −1 for none."""
    height, width, channels = colors.shape
    centres = np.concatenate([centres, np.zeros((len(centres), channels))], axis=1)
    ys, xs = np.mgrid[:height, :width]
    labels = np.full((height, width), -1)
    spread = np.ones(len(centres))
    for _ in range(rounds):
        best = np.full((height, width), np.inf)
        for k, (y, x, *color) in enumerate(centres):
            if np.isnan(y):
                continue
            rows = slice(max(int(y - window[0]), 0), int(y + window[0] + 1))
            columns = slice(max(int(x - window[1]), 0), int(x + window[1] + 1))
            space = (spacing[0] * (ys[rows, columns] - y)) ** 2
            space += (spacing[1] * (xs[rows, columns] - x)) ** 2
            shade = ((colors[rows, columns] - color) ** 2).sum(axis=-1)
            distance = space / step**2 + shade / (spread[k] if adaptive else 1)
            closer = distance < best[rows, columns]
            best[rows, columns][closer] = distance[closer]
            labels[rows, columns][closer] = k
        for k in range(len(centres)):
            mine = labels == k
            with np.errstate(invalid="ignore"):
                values = [ys[mine].sum(), xs[mine].sum(), *colors[mine].sum(axis=0)]
                centres[k] = np.array(values, float) / mine.sum()
            shade = ((colors[mine] - centres[k, 2:]) ** 2).sum(axis=-1)
            spread[k] = max(spread[k], shade.max(initial=0))
    return labels


def connect(labels, min_size, max_size):
    """Flood fills in raster order: cut above `max_size`, merge below `min_size`."""
    height, width = labels.shape
    numbers = np.zeros((height, width), int)
    number = 1
    for start in np.ndindex(height, width):
        if labels[start] < 0 or numbers[start]:
            continue
        touched, visited, at = number, [start], 0
        numbers[start] = number
        while at < len(visited) < max_size:
            y, x = visited[at]
            at += 1
            for dy, dx in _STEPS:
                near = y + dy, x + dx
                if not (0 <= near[0] < height and 0 <= near[1] < width):
                    continue
                if labels[near] == labels[start] and not numbers[near]:
                    numbers[near] = number
                    visited.append(near)
                    if len(visited) >= max_size:
                        break
                elif numbers[near] not in (0, number):
                    touched = numbers[near]
        if len(visited) < min_size:
            for pixel in visited:
                numbers[pixel] = touched
        else:
            number += 1
    return numbers - 1


def components(labels):
    """First pixel, as y·W + x, of every pixel's 4-connected component."""
    names = np.arange(labels.size).reshape(labels.shape)
    while True:
        before = names.copy()
        same = labels[1:] == labels[:-1]
        least = np.minimum(names[1:], names[:-1])
        names[1:][same] = least[same]
        names[:-1][same] = np.minimum(names[:-1], names[1:])[same]
        same = labels[:, 1:] == labels[:, :-1]
        least = np.minimum(names[:, 1:], names[:, :-1])
        names[:, 1:][same] = least[same]
        names[:, :-1][same] = np.minimum(names[:, :-1], names[:, 1:])[same]
        if (names == before).all():
            return names


def in_raster_order(labels):
    """Any labels → 0…p−1 by first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].reshape(labels.shape)
