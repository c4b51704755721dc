"""Stored arrays and models of any bytes: read, or refused, and never run."""

import io
import json
import pathlib
import warnings
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.cli.models import load_named
from tf_superpixel_saliency.cli.summary import Summary
from tf_superpixel_saliency.evaluation.storage import PartStore


class Trap:
    """What runs something where it is unpickled."""

    def __reduce__(self):
        return (pathlib.Path.touch, (pathlib.Path("sprung"),))


def explanation():
    shape = (2, 3, 4)
    outputs = {
        "maps": np.ones((*shape, 3), np.float32),
        "heatmaps": np.ones(shape, np.float32),
        "segments": np.zeros(shape, np.int32),
        "targets": np.array([0, 1], np.int32),
        "scores": np.array([0.5, 0.25], np.float32),
        "status": np.zeros(2, np.int32),
    }
    return tss.Explanation(np.zeros((*shape, 3), np.float32), outputs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stored")


@pytest.fixture(scope="module")
def whole(folder):
    explanation().save(folder / "whole.npz")
    return (folder / "whole.npz").read_bytes()


def damaged(data, whole):
    """Bytes of a file, some of them changed, put in, or cut off."""
    found = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(found) - 1)))
        what = data.draw(st.sampled_from(("change", "insert", "cut")))
        if what == "cut":
            del found[place:]
        elif what == "insert":
            found[place:place] = data.draw(st.binary(min_size=1, max_size=8))
        elif found:
            found[place] = data.draw(st.integers(0, 255))
    return bytes(found)


@given(data=st.data())
def test_damaged_explanations_are_read_or_refused(data, whole, folder):
    path = folder / "damaged.npz"
    path.write_bytes(damaged(data, whole))
    try:
        found = tss.Explanation.load(path)
    except ValueError as error:
        assert "holds no explanation" in str(error)
        return
    assert len(found) == 2


@given(data=st.data())
def test_damaged_parts_are_read_or_made_anew(data, whole, folder):
    store = PartStore(folder / "parts")
    (folder / "parts" / "x.npz").write_bytes(damaged(data, whole))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*made anew")
        first = store.arrays("x", lambda: {"v": np.ones(2)})
    second = store.arrays("x", lambda: {"v": np.zeros(2)})
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key])


@given(data=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_summary_is_mended(data, folder):
    (folder / "summary.jsonl").write_bytes(data)
    Summary(folder)
    for line in (folder / "summary.jsonl").read_bytes().splitlines():
        assert json.loads(line)["file"]


def test_pickles_stay_closed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trap = np.array([Trap()], object)
    np.savez("arrays.npz", **dict(explanation()), about=trap)
    np.savez("x.npz", v=trap)
    np.save("plain.npy", trap)
    for name in ("arrays.npz", "plain.npy"):
        with pytest.raises(ValueError, match="holds no explanation"):
            tss.Explanation.load(name)
    with pytest.warns(UserWarning, match="made anew"):
        PartStore(tmp_path).arrays("x", lambda: {"v": np.ones(1)})
    assert not pathlib.Path("sprung").exists()
    np.load("plain.npy", allow_pickle=True)  # the trap itself works
    assert pathlib.Path("sprung").exists()


class Arguments:
    size, trust_savedmodel, weights = None, False, "random"


def test_a_model_file_with_code_stays_closed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential(
        [keras.Input((2, 2, 3)), keras.layers.Lambda(lambda x: x * 2.0)]
    )
    model.save("code.keras")
    with pytest.raises(CommandError, match=r"Keras can't load 'code.keras'"):
        load_named("code.keras", Arguments)


@given(data=st.data())
def test_damaged_models_are_refused_in_a_sentence(data, folder):
    path = folder / "model.keras"
    if not (folder / "model").exists():
        keras.Sequential(
            [keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
        ).save(path)
        path.rename(folder / "model")
    path.write_bytes(damaged(data, (folder / "model").read_bytes()))
    try:
        loaded = load_named(str(path), Arguments)
    except CommandError as error:
        assert "\n" not in str(error)
        return
    assert loaded.size == 2


def test_a_saved_model_needs_trust(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01garbage")
    with pytest.raises(CommandError, match="--trust-savedmodel"):
        load_named(str(tmp_path), Arguments)
    trusting = type("", (Arguments,), {"trust_savedmodel": True})
    with pytest.raises(CommandError, match="can't load"):
        load_named(str(tmp_path), trusting)


def test_a_zip_bomb_is_no_summary_of_a_model(tmp_path):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 50_000_000)
    (tmp_path / "bomb.keras").write_bytes(target.getvalue())
    with pytest.raises(CommandError, match="Keras can't load"):
        load_named(str(tmp_path / "bomb.keras"), Arguments)
