"""The object that `.explain()` returns: arrays, words, pictures and files."""

import copy
import io
import json
import pickle

import numpy as np
import pytest
from skimage import io as image_io

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, classifier, photos


@pytest.fixture(scope="module")
def explanation():
    model = tss.explainable(classifier(), class_names={0: "cat", 1: "dog"})
    return model.explain(photos(), [0, 1, 4], "SimpleGradient", "SquareGrid:size=4")


def by_hand():
    """Two images of 4×6 pixels with groups whose heat is known."""
    segments = np.zeros((2, 4, 6), np.int32)
    segments[:, :2, 3:] = 1
    segments[:, 2:, :] = 2
    heat = np.zeros((2, 4, 6), np.float32)
    heat[:, :2, 3:] = 5.0
    heat[:, 2:] = 1.0
    heat[1] = heat[1] * 2
    outputs = {
        "maps": heat[..., None],
        "heatmaps": heat,
        "segments": segments,
        "targets": np.int32([3, 1]),
        "scores": np.float32([0.25, 0.5]),
        "status": np.int32([0, 4]),
        "completeness_error": np.float32([0.1, 0.2]),
    }
    return tss.Explanation(np.full((2, 4, 6, 1), 0.5), outputs)


def test_the_highest_groups_of_a_map_solved_by_hand():
    first, second = by_hand().top_groups(2)
    assert first[0] == {
        "group": 1,
        "area": 6,
        "mean": 5.0,
        "share": 30 / 42,
        "centroid": (0.5, 4.0),
        "box": (0, 3, 2, 6),
    }
    assert first[1]["group"] == 2 and first[1]["share"] == 12 / 42
    assert second[0]["mean"] == 10.0 and second[0]["share"] == first[0]["share"]
    assert [g["group"] for g in by_hand().top_groups(5, min_area=10)[0]] == [2]
    with pytest.raises(ValueError, match="k is a whole number"):
        by_hand().top_groups(0)


def test_arrays_by_name_slice_and_number(explanation):
    assert len(explanation) == 3 and len(explanation[1:]) == 2
    np.testing.assert_array_equal(explanation["maps"], explanation.maps)
    np.testing.assert_array_equal(explanation[-1].maps, explanation.maps[2:])
    np.testing.assert_array_equal(explanation[[2, 0]].targets, [4, 0])
    assert [one.targets.tolist() for one in explanation] == [[0], [1], [4]]
    assert set(dict(explanation)) == set(explanation.keys())
    assert by_hand().completeness_error.tolist() == pytest.approx([0.1, 0.2])
    assert set(by_hand().extras) == {"completeness_error"}
    assert by_hand().num_groups.tolist() == [3, 3]
    assert {"maps", "plot"} <= set(dir(explanation))
    assert "maps" in explanation and "map" not in explanation
    mask = np.array([True, False, True])
    np.testing.assert_array_equal(explanation[mask].targets, [0, 4])
    with pytest.raises(IndexError, match="image 3 of 3"):
        explanation[3]
    for index in ((0, 1), None, ..., 1.5, True, [0.5], np.zeros((1, 1), int)):
        with pytest.raises(TypeError, match="is indexed by"):
            explanation[index]
    with pytest.raises(KeyError, match="its arrays are"):
        explanation["map"]
    with pytest.raises(AttributeError, match="its arrays are"):
        _ = explanation.map


def test_arrays_are_not_written_to(explanation):
    pictures = photos()
    assert pictures.flags.writeable
    for part in (explanation, explanation[0], explanation[1:]):
        for key in part.keys():
            with pytest.raises(ValueError, match="read-only"):
                part[key][...] = 0
    mine = np.zeros((1, 4, 6, 1), np.float32)
    outputs = {key: value.copy() for key, value in dict(by_hand()[0]).items()}
    kept = tss.Explanation(mine, outputs)
    model = tss.explainable(lambda x: x[:, 0, 0], "SimpleGradient", None, score="logit")
    explained = model.explain(mine, model_output="logit")
    mine += 1  # the caller's own arrays stay writable, and the explanations as they are
    outputs["heatmaps"] += 1
    assert kept.images.max() == explained.images.max() == 0
    np.testing.assert_array_equal(kept.heatmaps, by_hand()[0].heatmaps)


def test_copies(explanation):
    explanation = tss.Explanation(
        explanation.images,
        {key: explanation[key] for key in explanation.keys() if key != "images"},
        class_names=lambda target: f"no {target}",  # which can't be pickled
    )
    for again in (copy.deepcopy(explanation), pickle.loads(pickle.dumps(explanation))):
        assert repr(again) == repr(explanation) and "no 4" in repr(again)
        np.testing.assert_array_equal(again.maps, explanation.maps)
        with pytest.raises(ValueError, match="read-only"):
            again.maps[...] = 0


def test_of_no_image(explanation, tmp_path):
    none = explanation[:0]
    assert len(none) == len(none.top_groups()) == 0 and none[[]].labels() == []
    assert "of 0 images" in repr(none) and none._repr_png_() is None
    with pytest.raises(ValueError, match="no image to draw"):
        none.plot()
    with pytest.raises(ValueError, match="no image to draw"):
        none.save(tmp_path / "none.png")
    assert not list(tmp_path.iterdir())


def test_class_names_of_any_kind():
    outputs = {k: v for k, v in dict(by_hand()).items() if k != "images"}
    outputs["targets"] = np.int32([1, 9])  # the last is out of range
    names = ["cat", "dog"]
    for given in (names, np.array(names), dict(enumerate(names)), names.__getitem__):
        found = tss.Explanation(by_hand().images, outputs, class_names=given)
        assert found.labels() == ["dog", "class 9"]
    outputs["targets"] = np.int32([-1, 0])  # a score that needs no class
    found = tss.Explanation(by_hand().images, outputs, class_names=names)
    assert found.labels() == ["", "cat"] and found.titles()[0] == "0.25"
    for given in ("cat", 7, {"cat"}):
        with pytest.raises(TypeError, match="class_names must be a list"):
            tss.Explanation(by_hand().images, outputs, class_names=given)


def test_slivers_are_left_out_unless_asked_for():
    """Of a picture of 100 × 100 pixels, those of less than 4."""
    segments = np.zeros((1, 100, 100), np.int32)
    segments[0, 50:] = 1
    segments[0, 0, :3] = 2
    heat = np.float32(np.choose(segments, [1.0, 2.0, 9.0]))
    outputs = {
        **{k: v for k, v in dict(by_hand()[0]).items() if k != "images"},
        "segments": segments,
        "heatmaps": heat,
        "maps": heat[..., None],
    }
    found = tss.Explanation(np.zeros((1, 100, 100, 3)), outputs)
    groups = [[g["group"] for g in found.top_groups(k)[0]] for k in (1, 2, 3)]
    assert groups == [[1], [1, 0], [2, 1, 0]]  # three groups are no longer as large
    assert found.top_groups(1, min_area=1)[0][0]["group"] == 2


def test_in_words(explanation):
    assert explanation.labels() == ["cat", "dog", "class 4"]
    text = repr(explanation)
    assert "3 images of 12 × 11 pixels by SimpleGradient over SquareGrid" in text
    assert f"cat, {explanation.scores[0]:.3g}, 9 groups" in text
    assert "the map is 0 everywhere" in repr(by_hand())
    assert repr(by_hand()[0]).startswith("Explanation of 1 image of")
    many = tss.explainable(classifier(), "SimpleGradient", None).explain(photos(11))
    assert "… and 3 more" in repr(many) and "groups" not in repr(many)


def png(data):
    picture = image_io.imread(io.BytesIO(data))
    assert picture.ndim == 3 and picture.std() > 10
    return picture


def test_a_notebook_shows_a_picture(explanation):
    several = png(explanation._repr_png_())
    one = png(explanation[0]._repr_png_())
    assert several.shape[0] > several.shape[1]  # three rows of two
    assert one.shape[1] > 2 * one.shape[0]  # one row of three
    pixels = tss.explainable(classifier(), "SimpleGradient", None).explain(photos(1))
    two = png(pixels._repr_png_())
    assert two.shape[1] < one.shape[1]


@pytest.mark.thorough
def test_pictures_of_other_channels_and_of_failed_images():
    model = tss.explainable(classifier(size=(12, 11, 5)), "SimpleGradient")
    png(model.explain(photos(2, (12, 11, 5)))._repr_png_())
    outputs = dict(by_hand())
    images = outputs.pop("images").copy()
    images[1] = np.nan
    outputs["heatmaps"] = outputs["heatmaps"].copy()
    outputs["heatmaps"][1] = np.nan
    failed = tss.Explanation(images, {**outputs, "status": np.int32([0, 1])})
    panels = [one.plot(figure=tss.plots.new_figure()) for one in failed]
    assert [len(axes) for axes in panels] == [3, 2]  # no group is the highest there
    png(failed._repr_png_())
    png(failed[1]._repr_png_())


def test_plot_takes_a_figure(explanation):
    figure = tss.plots.new_figure()
    axes = explanation.plot(1, figure=figure)
    assert axes[0].figure is figure and len(axes) == 3
    grid = explanation.plot(figure=tss.plots.new_figure())
    assert grid.shape == (3, 2)
    with pytest.raises(IndexError):
        explanation.plot(7)


def test_saved_and_loaded(explanation, tmp_path):
    path = explanation.save(tmp_path / "one.npz")
    again = tss.Explanation.load(path)
    assert set(again.keys()) == set(explanation.keys())
    for key in explanation.keys():
        np.testing.assert_array_equal(again[key], explanation[key])
        assert again[key].dtype == explanation[key].dtype
    assert repr(again) == repr(explanation)
    assert again.settings == explanation.settings
    assert again.value_range == explanation.value_range
    unnamed = by_hand()
    unnamed.save(tmp_path / "two.npz")
    assert tss.Explanation.load(tmp_path / "two.npz").labels() == unnamed.labels()


def test_the_picture_is_saved(explanation, tmp_path):
    explanation.save(tmp_path / "all.png")
    assert image_io.imread(tmp_path / "all.png").std() > 10


ABOUT = {"settings": {}, "value_range": [0, 1], "names": None}


def test_files_that_hold_none(explanation, tmp_path):
    with pytest.raises(ValueError, match=r"\.npz .* or \.png"):
        explanation.save(tmp_path / "one.pkl")
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "object.npz", about=np.array([{}], dtype=object))
    (tmp_path / "half.npz").write_bytes(
        explanation.save(tmp_path / "one.npz").read_bytes()[:400]
    )
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, np.zeros(3))
    whole = dict(np.load(tmp_path / "one.npz"))
    for name, changed in {
        "told": {"about": np.array("{}")},
        "list": {"about": np.array("[]")},
        "range": {"about": np.array(json.dumps({**ABOUT, "value_range": [1, 0]}))},
        "names": {"about": np.array(json.dumps({**ABOUT, "names": {"cat": "0"}}))},
        "number": {"maps": np.array(3)},
        "size": {"segments": np.zeros((3, 5, 5), int)},
    }.items():
        np.savez(tmp_path / f"{name}.npz", **{**whole, **changed})
    found = [path.stem for path in tmp_path.glob("*.npz") if path.stem != "one"]
    assert len(found) == 11
    for name in found:
        with pytest.raises(ValueError, match="holds no explanation"):
            tss.Explanation.load(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        tss.Explanation.load(tmp_path / "none.npz")
    for name in ("one.npz", "one.png"):
        with pytest.raises(FileNotFoundError, match=r"no folder .*make it first"):
            explanation.save(tmp_path / "none" / name)
    assert explanation.save(tmp_path / "ONE.NPZ").exists()


def test_a_disk_that_is_full_leaves_nothing(explanation, tmp_path, monkeypatch):
    def failing(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", failing)
    with pytest.raises(OSError, match="disk full"):
        explanation.save(tmp_path / "one.npz")
    assert not list(tmp_path.iterdir())


def test_outputs_that_are_none():
    with pytest.raises(ValueError, match="has no"):
        tss.Explanation(photos(), {"maps": photos()})
    outputs = {k: v for k, v in dict(by_hand()).items() if k != "images"}
    with pytest.raises(ValueError, match="as many images"):
        tss.Explanation(np.zeros((3, *SIZE)), outputs)
    with pytest.raises(ValueError, match="heatmaps and segments"):
        tss.Explanation(np.zeros((2, *SIZE)), outputs)
    with pytest.raises(ValueError, match="value_range"):
        tss.Explanation(by_hand().images, outputs, value_range=(1, 1))


@pytest.mark.parametrize(
    "low, high, expected",
    [(0, 1, (0, 1)), (-1, 1, (-1, 1)), (0, 255, (0, 255)), (-3, 7, (-3, 7))],
)
def test_a_range_that_nobody_told(low, high, expected):
    images = np.linspace(low, high, 4 * 6, dtype=np.float32).reshape(1, 4, 6, 1)
    outputs = {k: v for k, v in dict(by_hand()[0]).items() if k != "images"}
    assert tss.Explanation(images, outputs).value_range == expected
