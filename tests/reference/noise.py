"""Slow twin of the noise: Box and Muller in float64 from the raw bits."""

import math

import numpy as np


def normals(bits, size):
    """(2, ⌈size/2⌉) uint32 → (size,) normals, cosines first, then sines."""
    radii, angles = [], []
    for first, second in zip(*bits.tolist()):
        # The upper 24 bits plus ½, rounded to float32 as the numbers are there.
        u, v = (float(np.float32((b >> 8) + 0.5)) / 2**24 for b in (first, second))
        radii.append(math.sqrt(-2 * math.log(u)))
        angles.append(2 * math.pi * v)
    cosines = [r * math.cos(a) for r, a in zip(radii, angles)]
    sines = [r * math.sin(a) for r, a in zip(radii, angles)]
    return np.array((cosines + sines)[:size])
