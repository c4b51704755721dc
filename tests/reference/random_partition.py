"""Slow twin of the random partitions: Philox in Python's integers.

Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

import numpy as np

_WORD = 0xFFFFFFFF


def _philox(counter, key):
    """Ten rounds of Philox 4×32 on four words, with a key of two."""
    a, b, c, d = counter
    low, high = key
    for _ in range(10):
        first, second = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (
            (second >> 32) ^ b ^ low,
            second & _WORD,
            (first >> 32) ^ d ^ high,
            first & _WORD,
        )
        low, high = (low + 0x9E3779B9) & _WORD, (high + 0xBB67AE85) & _WORD
    return a, b, c, d


def bits(seed, count):
    """`count` words for a seed of two 64-bit integers, as TensorFlow draws them.

    TensorFlow scrambles the seed by one Philox call under a key of its own, which
    gives the key and the upper half of the counter; the lower half counts blocks of
    four words.
    """
    low, high = (word & 0xFFFFFFFFFFFFFFFF for word in seed)
    halves = low & _WORD, low >> 32, high & _WORD, high >> 32
    mixed = _philox(halves, (0x3EC8F720, 0x02461E29))
    words = []
    for block in range(-(-count // 4)):
        words.extend(_philox((block, 0, mixed[2], mixed[3]), mixed[:2]))
    return words[:count]


def independent(seed, groups, height, width):
    """(H, W): one of `groups` labels for each pixel, drawn independently."""
    words = bits((seed, -1), height * width)
    return np.reshape([word * groups >> 32 for word in words], (height, width))


def shuffled(seed, labels):
    """(H, W): the labels in the order that sorts the words, read as signed."""
    words = bits((seed, -1), labels.size)
    signed = [word - 2**32 if word >= 2**31 else word for word in words]
    order = sorted(range(labels.size), key=lambda index: signed[index])
    return labels.ravel()[order].reshape(labels.shape)
