"""Files that a kill at any moment leaves whole."""

import json

import numpy as np
import pytest

from tf_superpixel_saliency.evaluation.storage import whole_file
from tf_superpixel_saliency.paper import files


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with whole_file(path) as partial:
            partial.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    with whole_file(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_come_back_with_their_settings(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(2, 3)), np.int64(7), rng.normal(size=4).astype("f4")]
    arrays += [np.full(1, i) for i in range(12)]  # two-digit numbers keep the order
    files.write_arrays(tmp_path / "a.npz", {"epoch": 3, "name": "ä"}, arrays)
    settings, found = files.read_arrays(tmp_path / "a.npz")
    assert settings == {"epoch": 3, "name": "ä"}
    assert len(found) == len(arrays)
    for one, two in zip(arrays, found):
        np.testing.assert_array_equal(one, two)
        assert np.asarray(one).dtype == two.dtype


def test_damaged_arrays_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    files.write_arrays(path, {}, [np.arange(100)])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"a\.npz.*Delete it"):
        files.read_arrays(path)


def test_nothing_pickled_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", settings="{}", array_0=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        files.read_arrays(tmp_path / "a.npz")


def test_lines_are_appended_and_a_cut_one_spoils_no_other(tmp_path):
    path = tmp_path / "log.jsonl"
    assert files.read_lines(path) == []
    files.append_line(path, {"name": "a"})
    with open(path, "a") as file:
        file.write('{"name": "cu')
    files.append_line(path, {"name": "b"})
    files.append_line(path, {"name": "c"})
    assert files.read_lines(path) == [{"name": name} for name in "abc"]
    assert json.loads(path.read_text().splitlines()[-1]) == {"name": "c"}
