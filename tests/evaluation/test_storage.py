"""Parts that are whole or not there, and the settings that they belong to."""

import zipfile

import numpy as np
import pytest

from tests.evaluation.networks import map_store
from tf_superpixel_saliency.evaluation.storage import PartStore, read_arrays, whole_file
from tf_superpixel_saliency.evaluation.writers import only_writer


def refuse():
    raise AssertionError("made although it was there")


def test_a_part_is_made_once_and_read_afterwards(tmp_path):
    store = PartStore(tmp_path / "parts", {"seed": 0})
    made = store.arrays("a b/c", lambda: {"x": np.arange(3), "y": np.float32(2)})
    again = PartStore(tmp_path / "parts", {"seed": 0}).arrays("a b/c", refuse)
    assert set(again) == {"x", "y"}
    np.testing.assert_array_equal(again["x"], made["x"])
    rows = store.records("rows", lambda: [{"a": np.float64(1.5), "b": np.int64(2)}])
    assert rows == [{"a": 1.5, "b": 2}]
    assert store.records("rows", refuse) == rows
    assert store.has("rows") and store.has("a b/c") and not store.has("other")


def test_nan_survives_in_records(tmp_path):
    store = PartStore(tmp_path)
    store.records("r", lambda: [{"x": float("nan")}])
    assert np.isnan(store.records("r", refuse)[0]["x"])


def test_a_part_that_fails_leaves_nothing_behind(tmp_path):
    store = PartStore(tmp_path)

    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.arrays("x", fail)
    with pytest.raises(RuntimeError), whole_file(tmp_path / "y.txt") as path:
        path.write_text("half")
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_file_left_half_written_by_a_kill_is_not_read(tmp_path):
    (tmp_path / ".partial-x.npz").write_bytes(b"PK half")
    store = PartStore(tmp_path)
    assert not store.has("x")
    assert store.arrays("x", lambda: {"v": np.ones(2)})["v"].tolist() == [1, 1]
    assert store.arrays("x", refuse)["v"].tolist() == [1, 1]


def test_other_settings_are_refused_by_name(tmp_path):
    PartStore(tmp_path, {"seed": 0, "size": [1, 2]})
    PartStore(tmp_path, {"size": (1, 2), "seed": 0})
    with pytest.raises(ValueError, match=r"other settings: seed .*another folder"):
        PartStore(tmp_path, {"seed": 1, "size": [1, 2]})
    with pytest.raises(ValueError, match="size"):
        PartStore(tmp_path, {"seed": 0})


def test_stores_below_a_store_keep_apart(tmp_path):
    store = PartStore(tmp_path)
    store.sub("a").arrays("k", lambda: {"v": np.zeros(1)})
    assert store.sub("b").arrays("k", lambda: {"v": np.ones(1)})["v"][0] == 1


def test_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "x.npz", v=np.array([{"a": 1}], object))
    with pytest.warns(UserWarning, match="pickle"):
        found = PartStore(tmp_path).arrays("x", lambda: {"v": np.ones(2)})
    assert found["v"].tolist() == [1, 1]
    assert np.load(tmp_path / "x.npz")["v"].tolist() == [1, 1]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"{", b"\xff\xfe"])
def test_a_damaged_part_is_made_anew(tmp_path, damage):
    store = PartStore(tmp_path)
    for name in ("x.npz", "r.json"):
        (tmp_path / name).write_bytes(damage)
    with pytest.warns(UserWarning, match="made anew"):
        assert store.arrays("x", lambda: {"v": np.ones(2)})["v"].tolist() == [1, 1]
    with pytest.warns(UserWarning, match="made anew"):
        assert store.records("r", lambda: [1]) == [1]
    assert store.arrays("x", refuse)["v"].tolist() == [1, 1]
    assert store.records("r", refuse) == [1]
    assert store.sub("below").counts == {"made": 2, "found": 2}


def altered(folder, place, byte):
    """A .npz file's bytes with one of them changed, counted from a signature."""
    np.savez(folder / "whole.npz", v=np.zeros(3))
    content = bytearray((folder / "whole.npz").read_bytes())
    signature, offset = place
    content[content.index(signature) + offset] = byte
    return bytes(content)


CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"


@pytest.mark.parametrize(
    ("place", "byte"),
    [
        ((CENTRAL, 8), 1),  # a password is wanted
        ((CENTRAL, 8), 1 << 5),  # a patch of another file
        ((CENTRAL, 8), 1 << 6),  # a stronger password
        ((CENTRAL, 6), 64),  # of a later version of zip files
        ((CENTRAL, 10), 77),  # compressed in an unknown way
        ((CENTRAL, 45), 0xFF),  # begins behind the end of the file
        ((END, 19), 0xFF),  # the list of its files is before the file
    ],
)
def test_a_zip_of_another_kind_is_made_anew(tmp_path, place, byte):
    (tmp_path / "x.npz").write_bytes(altered(tmp_path, place, byte))
    with pytest.raises(ValueError, match=r"no .npz file, or damaged"):
        read_arrays(tmp_path / "x.npz")
    with pytest.warns(UserWarning, match="made anew"):
        found = PartStore(tmp_path).arrays("x", lambda: {"v": np.ones(2)})
    assert found["v"].tolist() == [1, 1]


def test_what_is_in_a_zip_has_to_be_an_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("notes.txt", "none")
    with pytest.raises(ValueError, match=r"'notes.txt' in it is no array"):
        read_arrays(tmp_path / "x.npz")
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "y.npz")


def test_json_nested_without_end_is_made_anew(tmp_path):
    (tmp_path / "r.json").write_text("[" * 100_000)
    with pytest.warns(UserWarning, match="made anew"):
        assert PartStore(tmp_path).records("r", lambda: [1]) == [1]


def test_damaged_settings_are_named(tmp_path):
    (tmp_path / "settings.json").write_text("[")
    with pytest.raises(ValueError, match=r"settings.json.*another folder"):
        PartStore(tmp_path, {"seed": 0})


def test_one_process_writes_to_a_folder(tmp_path):
    (tmp_path / "parts" / "maps").mkdir(parents=True)
    left = [".partial-4321-0.npz", "parts/maps/.partial-4321-7.npz"]
    others = [".partial-mine", "photo.npz"]
    for name in (*left, *others):
        (tmp_path / name).write_text("half")
    with only_writer(tmp_path):
        assert not any((tmp_path / name).exists() for name in left)
        assert all((tmp_path / name).exists() for name in others)
        with pytest.raises(BlockingIOError), only_writer(tmp_path):
            raise AssertionError("two writers")
    with only_writer(tmp_path):  # free again
        pass


@pytest.mark.parametrize(
    "count, chunk_size, sizes",
    [
        (6, 3, [3, 3]),
        (5, 3, [3, 2]),
        (7, 3, [3, 4]),
        (1, 3, [1]),
        (3, 1, [1, 1, 1]),
        (2, 8, [2]),
    ],
)
def test_no_image_is_left_alone_in_a_chunk(count, chunk_size, sizes, tmp_path):
    """Alone it would have no other images to agree with by chance."""
    chunks = map_store(tmp_path, count, chunk_size).chunks
    assert [len(chunk) for chunk in chunks] == sizes
    np.testing.assert_array_equal(np.concatenate(chunks), np.arange(count))
