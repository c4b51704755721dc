"""The arrays of an explanation: one row an image, by name, for reading alone."""

from __future__ import annotations

import numpy as np

KEYS = ("maps", "heatmaps", "segments", "targets", "scores", "status")


class ImageArrays:
    """Arrays of N images that can be read, sliced and looked up.

    Args:
        images: (N, H, W, C).
        outputs: {name: (N, …)}, at least `KEYS`.

    Raises:
        ValueError: one is missing, or shapes don't match.
    """

    def __init__(self, images, outputs):
        missing = [key for key in KEYS if key not in outputs]
        if missing:
            raise ValueError(
                f"outputs must hold what an explainer returns, but has no {missing}."
            )
        images = _locked(np.array(images, np.float32))
        kept = {key: _kept(np.asarray(value)) for key, value in outputs.items()}
        self._arrays = {**kept, "images": images}
        _check_shapes(self._arrays)

    def __getattr__(self, name):
        arrays = vars(self).get("_arrays", {})
        if name not in arrays:
            raise AttributeError(
                f"An explanation has no {name!r}; its arrays are {sorted(arrays)}."
            )
        return arrays[name]

    def __dir__(self):
        return sorted({*super().__dir__(), *self._arrays})

    @property
    def extras(self) -> dict:
        """{name: (N,) float32}, what the method returns besides."""
        return {k: v for k, v in self._arrays.items() if k not in (*KEYS, "images")}

    def keys(self):
        """Names of the arrays: `dict(explanation)` is a dictionary of all of them."""
        return self._arrays.keys()

    def __contains__(self, key):
        return key in self._arrays

    def __len__(self):
        return len(self.targets)

    def __iter__(self):
        return (self[number] for number in range(len(self)))

    def __getitem__(self, item):
        if isinstance(item, str):
            if item not in self._arrays:
                raise KeyError(
                    f"An explanation has no {item!r}; its arrays are "
                    f"{sorted(self._arrays)}."
                )
            return self._arrays[item]
        rows = _rows(item, len(self))
        part = object.__new__(type(self))
        arrays = {key: _locked(one[rows]) for key, one in self._arrays.items()}
        vars(part).update(vars(self), _arrays=arrays)
        return part

    def __setstate__(self, state):
        vars(self).update(state)
        for array in self._arrays.values():
            _locked(array)


def _locked(array):
    array.setflags(write=False)
    return array


def _kept(array):
    """Locked; a copy where its owner may write to it, now or later."""
    return _locked(array.copy() if array.flags.writeable else array)


def _check_shapes(arrays):
    """N rows of all, images and maps of one size; extras may be of any."""
    lengths = {key: len(one) if one.ndim else None for key, one in arrays.items()}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        raise ValueError(f"Arrays must be of as many images, but are {lengths}.")
    size = arrays["segments"].shape
    ranks = {"images": 4, "maps": 4, "heatmaps": 3, "segments": 3}
    for key in ("images", *KEYS):
        shape = arrays[key].shape
        if len(shape) != ranks.get(key, 1) or shape[:3] != size[: len(shape)]:
            shapes = {key: arrays[key].shape for key in ("images", *KEYS)}
            raise ValueError(
                "Arrays must be images and maps (N, H, W, C), heatmaps and segments "
                f"(N, H, W), and one number an image of the rest, but are {shapes}."
            )


def _rows(item, count):
    """An index of images as one of rows: a number is a slice of one."""
    number = isinstance(item, (int, np.integer)) and not isinstance(item, bool)
    if number and not -count <= item < count:
        raise IndexError(f"image {item} of {count}")
    if number:
        return slice(item % count, item % count + 1)
    if isinstance(item, slice):
        return item
    rows = np.asarray(item) if isinstance(item, (list, np.ndarray)) else np.empty(())
    if rows.shape == (0,):
        return rows.astype(int)
    if rows.ndim != 1 or rows.dtype.kind not in "biu":
        raise TypeError(
            "An explanation is indexed by an array's name, or by number, slice, or "
            f"list of numbers or of bool, one an image, but got {item!r}."
        )
    return rows
