"""Slow twins of the display reductions and outlines, in plain loops."""

from __future__ import annotations

import math


def percentile(values, q):
    """Linear interpolation between the two order statistics around q per cent."""
    ordered = sorted(float(v) for v in values)
    position = (len(ordered) - 1) * q / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def clipped_unit(heatmap, q):
    """Clip a heatmap (list of rows) at its percentile, then min–max, in loops."""
    limit = percentile([v for row in heatmap for v in row], q)
    clipped = [[min(float(v), limit) for v in row] for row in heatmap]
    low = min(min(row) for row in clipped)
    high = max(max(row) for row in clipped)
    if high == low:
        return [[0.0 for _ in row] for row in clipped]
    return [[(v - low) / (high - low) for v in row] for row in clipped]


def ranking(heatmap, segments):
    """[(label, area, mean)] by falling mean, ties by rising label."""
    members = {}
    for heat_row, label_row in zip(heatmap, segments):
        for value, label in zip(heat_row, label_row):
            members.setdefault(int(label), []).append(float(value))
    groups = [
        (label, len(values), math.fsum(values) / len(values))
        for label, values in members.items()
    ]
    return sorted(groups, key=lambda group: (-group[2], group[0]))


def boundary_edges(segments):
    """Unit edges ((x, y), (x, y)) between neighbours of different labels."""
    height, width = len(segments), len(segments[0])
    edges = set()
    for i in range(height):
        for j in range(width):
            if j + 1 < width and segments[i][j] != segments[i][j + 1]:
                edges.add(((j + 0.5, i - 0.5), (j + 0.5, i + 0.5)))
            if i + 1 < height and segments[i][j] != segments[i + 1][j]:
                edges.add(((j - 0.5, i + 0.5), (j + 0.5, i + 0.5)))
    return edges


def group_edges(segments, labels):
    """Unit edges around the groups named: one side in one of them, the other not."""
    height, width = len(segments), len(segments[0])
    edges = set()
    for i in range(height):
        for j in range(width):
            own = segments[i][j]
            if own not in labels:
                continue
            sides = {
                (0, 1): ((j + 0.5, i - 0.5), (j + 0.5, i + 0.5)),
                (0, -1): ((j - 0.5, i - 0.5), (j - 0.5, i + 0.5)),
                (1, 0): ((j - 0.5, i + 0.5), (j + 0.5, i + 0.5)),
                (-1, 0): ((j - 0.5, i - 0.5), (j + 0.5, i - 0.5)),
            }
            for (down, right), edge in sides.items():
                y, x = i + down, j + right
                outside = not (0 <= y < height and 0 <= x < width)
                if outside or segments[y][x] != own:
                    edges.add(edge)
    return edges
