"""Where the rank of a group is written so that it can be read."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.plots import canvas

_SIZE = 6.5  # points
_ANGLES = np.arange(16) * (np.pi / 8)


def add_ranks(ax, masks) -> None:
    """Write 1, 2, … in or beside the groups, one a mask.

    Args:
        ax: matplotlib Axes in which the photo is drawn.
        masks: list of (H, W) bool, in the order of their ranks, none of them empty.
    """
    if not masks:
        return
    scale = _pixels_per_point(ax, masks[0].shape)
    sizes = [
        ((0.62 * len(str(rank)) + 0.6) * _SIZE * scale, 1.45 * _SIZE * scale)
        for rank in range(1, len(masks) + 1)
    ]
    for rank, (center, anchor) in enumerate(places(masks, sizes, scale), start=1):
        _draw(ax, str(rank), center, anchor)


def places(masks, sizes, scale=1.0) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """A centre (x, y) for each badge, and the end of its line, if it needs one.

    A badge that fits in its group stands there. The others stand as near as they can
    without covering another badge, and covering as little as they can of the groups.

    Args:
        masks: list of (H, W) bool, in the order of their ranks.
        sizes: list of (width, height) of the badges, in image pixels.
        scale: image pixels a point, in which the outlines' width is measured.
    """
    # Air around the groups keeps their outlines free.
    covered = _Sums(_grown(np.any(masks, axis=0), round(2 * scale)))
    taken, found = [], []
    for mask, size in zip(masks, sizes):
        middle = _middle(mask)
        center = _inside(mask, size, middle, taken)
        anchor = None
        if center is None:
            center = _beside(covered, size, middle, taken)
            anchor = _anchor(mask, center, 0.5 + scale)
        taken.append((center, size))
        found.append((center, anchor))
    return found


def _grown(mask, by: int) -> np.ndarray:
    """The mask and its neighbours up to some pixels away."""
    for axis in (0, 1):
        length = mask.shape[axis]
        padded = np.pad(mask, [(by, by) if axis == a else (0, 0) for a in (0, 1)])
        shifts = [
            np.take(padded, range(i, i + length), axis) for i in range(2 * by + 1)
        ]
        mask = np.any(shifts, axis=0)
    return mask


def _pixels_per_point(ax, shape) -> float:
    """Image pixels a point, from the size of the Axes."""
    width, height = canvas.inches(ax) * 72
    return 1.0 / max(min(width / shape[1], height / shape[0]), 1e-6)


def _middle(mask) -> np.ndarray:
    """The (x, y) of the group's own pixel that is nearest to its centroid."""
    rows, columns = np.nonzero(mask)
    distance = (rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2
    nearest = np.argmin(distance)
    return np.array([columns[nearest], rows[nearest]], dtype=np.float64)


def _anchor(mask, center, gap) -> np.ndarray:
    """Where a badge's line ends: just before the group, which it mustn't cover."""
    rows, columns = np.nonzero(mask)
    pixels = np.stack([columns, rows], axis=-1)
    distance = np.linalg.norm(pixels - center, axis=1)
    nearest = pixels[np.argmin(distance)]
    share = min(gap / max(distance.min(), 1e-6), 1.0)
    return nearest + share * (center - nearest)


def _inside(mask, size, middle, taken):
    """The place nearest to the middle at which the badge lies in the group wholly."""
    height, width = mask.shape
    half_x, half_y = size[0] / 2, size[1] / 2
    rows, columns = np.nonzero(mask)
    order = np.argsort((rows - middle[1]) ** 2 + (columns - middle[0]) ** 2)
    centers = np.stack([columns, rows], axis=-1)[order].astype(np.float64)
    fits = _Sums(~mask).within(centers, size) == 0
    fits &= (centers - (half_x, half_y) >= -0.5).all(axis=1)
    fits &= (centers + (half_x, half_y) <= (width - 0.5, height - 0.5)).all(axis=1)
    for center in centers[fits]:
        if not _collides(center, size, taken):
            return center
    return None


def _beside(covered, size, middle, taken):
    """The best place on rings around the middle, inside the image."""
    height, width = covered.shape
    half = np.array(size) / 2
    step = half.min()
    radii = np.arange(2, 2 + max(height, width) / step)[:, None] * step
    rings = np.stack([radii * np.cos(_ANGLES), radii * np.sin(_ANGLES)], axis=-1)
    centers = (middle + rings).reshape(-1, 2)
    low, high = half - 0.5, np.array([width, height]) - 0.5 - half
    centers = centers[((centers >= low) & (centers <= high)).all(axis=1)]
    # A badge that hides all of its own area in groups is worth moving ten steps.
    hidden = covered.within(centers, size) / (size[0] * size[1])
    far = np.linalg.norm(centers - middle, axis=1) / step
    for center in centers[np.argsort(far + 10 * hidden, kind="stable")]:
        if not _collides(center, size, taken):
            return center
    # More badges than the image has room for: let them lie on each other.
    return np.clip(middle, np.minimum(low, high), np.maximum(low, high))


def _collides(center, size, taken) -> bool:
    return any(
        (np.abs(center - other) < (np.array(size) + other_size) / 2).all()
        for other, other_size in taken
    )


class _Sums:
    """Sums of a mask over boxes, from its sums over all boxes from the corner."""

    def __init__(self, mask):
        self.shape = mask.shape
        self._table = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0),) * 2)

    def within(self, centers, size) -> np.ndarray:
        """Pixels of the mask that boxes of a size around centres (x, y) touch."""
        height, width = self.shape
        half = np.array(size) / 2
        left, top = np.floor(centers - half + 0.5).astype(int).T
        right, bottom = np.ceil(centers + half + 0.5).astype(int).T
        left, right = np.clip(left, 0, width), np.clip(right, 0, width)
        top, bottom = np.clip(top, 0, height), np.clip(bottom, 0, height)
        table = self._table
        return (
            table[bottom, right]
            - table[top, right]
            - table[bottom, left]
            + table[top, left]
        )


def _draw(ax, text, center, anchor):
    if anchor is not None:
        x, y = zip(center, anchor)
        for tone, width in (("black", 1.8), ("white", 0.8)):
            ax.plot(
                x, y, color=tone, linewidth=width, scalex=False, scaley=False, zorder=4
            )
    ax.text(
        *center,
        text,
        color="white",
        fontsize=_SIZE,
        fontweight="bold",
        ha="center",
        va="center_baseline",
        zorder=5,
        bbox={
            "facecolor": "black",
            "edgecolor": "white",
            "linewidth": 0.5,
            "boxstyle": "round,pad=0.2",
        },
    )
