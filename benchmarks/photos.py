"""The photos that the benchmarks are run on."""

import numpy as np

from tf_superpixel_saliency.cli.photos import find_photos, read_photo


def read_folder(folder, count, size=224, spread=False):
    """Names and photos (count, size, size, 3) of a folder's files.

    Args:
        folder: where they are.
        count: how many at most.
        size: side in pixels.
        spread: whether to take them from all of the folder, not from its start.
    """
    files, _ = find_photos([folder])
    if spread:
        files = files[:: max(1, len(files) // count)]
    files = files[:count]
    return [file.name for file in files], np.stack([read_photo(f, size) for f in files])
