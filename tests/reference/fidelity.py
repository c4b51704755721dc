"""Slow twins of Deletion and Insertion: one pixel and one prediction at a time."""

import math

import numpy as np


def scores(image_map, rank, labels=None):
    """(H, W, C) → list of lists of scores, summed in the order of the channels."""
    height, width, channels = image_map.shape
    result = [[0.0] * width for _ in range(height)]
    for i in range(height):
        for j in range(width):
            for c in range(channels):
                value = float(image_map[i, j, c])
                result[i][j] += value if rank == "signed" else abs(value)
            if rank == "scaled":
                size = sum(label == labels[i][j] for label in np.ravel(labels))
                result[i][j] *= math.sqrt(size)
    return result


def order(values, unit, key):
    """Pixels (i, j), the highest cell first; `key` gives a cell's place in a tie."""
    height, width = len(values), len(values[0])
    cells = {}
    for i in range(height):
        for j in range(width):
            cells.setdefault((i // unit, j // unit), []).append((i, j))
    names = sorted(cells)

    def mean(name):
        # Exact for values that are small whole numbers, so that ties are ties.
        inside = [values[i][j] for i, j in cells[name]]
        return sum(inside) / len(inside)

    names = sorted(names, key=lambda name: (-mean(name), key[names.index(name)]))
    return [pixel for name in names for pixel in cells[name]]


def curve(predict, start, end, pixels, target, pixels_per_step):
    """Probabilities with 0, k, 2k, … all pixels changed, and the fractions."""
    total = len(pixels)
    counts = list(range(0, total, pixels_per_step)) + [total]
    values = []
    for count in counts:
        image = np.array(start)
        for i, j in pixels[:count]:
            image[i, j] = end[i, j]
        values.append(float(np.asarray(predict(image[None]))[0, target]))
    return values, [count / total for count in counts]


def area(values, fractions):
    """Trapezoids, one by one."""
    total = 0.0
    for left in range(len(values) - 1):
        width = fractions[left + 1] - fractions[left]
        total += width * (values[left] + values[left + 1]) / 2
    return total


def blur(image):
    """(H, W, C) → weights exp(−d²/50) on 11×11 pixels, mirrored about the edges."""
    height, width = image.shape[:2]

    def inside(place, length):
        while not 0 <= place < length:
            place = -place - 1 if place < 0 else 2 * length - 1 - place
        return place

    result = np.zeros(image.shape)
    for i in range(height):
        for j in range(width):
            total = 0.0
            for di in range(-5, 6):
                for dj in range(-5, 6):
                    weight = math.exp(-(di**2 + dj**2) / 50)
                    total += weight
                    result[i, j] += (
                        weight * image[inside(i + di, height), inside(j + dj, width)]
                    )
            result[i, j] /= total
    return result
