"""The object that `.explain()` returns: arrays, words, pictures and files."""

import io

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
    with pytest.raises(IndexError, match="image 3 of 3"):
        explanation[3]
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
    tss.Explanation(mine, dict(by_hand()[0]))
    mine += 1  # the caller's own array stays writable


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


def test_pictures_of_other_channels_and_of_failed_images():
    model = tss.explainable(classifier(size=(12, 11, 5)), "SimpleGradient")
    png(model.explain(photos(2, (12, 11, 5)))._repr_png_())
    outputs = dict(by_hand())
    images = outputs.pop("images").copy()
    images[1] = np.nan
    outputs["heatmaps"] = outputs["heatmaps"].copy()
    outputs["heatmaps"][1] = np.nan
    failed = tss.Explanation(images, {**outputs, "status": np.int32([0, 1])})
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


def test_files_that_hold_none(explanation, tmp_path):
    with pytest.raises(ValueError, match=r"\.npz .* or \.png"):
        explanation.save(tmp_path / "one.pkl")
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "object.npz", about=np.array([{}], dtype=object))
    (tmp_path / "half.npz").write_bytes(
        explanation.save(tmp_path / "one.npz").read_bytes()[:400]
    )
    for name in ("text", "other", "object", "half"):
        with pytest.raises(ValueError, match="holds no explanation"):
            tss.Explanation.load(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError):
        tss.Explanation.load(tmp_path / "none.npz")


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


@pytest.mark.parametrize(
    "low, high, expected",
    [(0, 1, (0, 1)), (-1, 1, (-1, 1)), (0, 255, (0, 255)), (-3, 7, (-3, 7))],
)
def test_a_range_that_nobody_told(low, high, expected):
    images = np.linspace(low, high, 4 * 6, dtype=np.float32).reshape(1, 4, 6, 1)
    outputs = {k: v for k, v in dict(by_hand()[0]).items() if k != "images"}
    assert tss.Explanation(images, outputs).value_range == expected
