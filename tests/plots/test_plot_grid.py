from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage import data

from tests.reference import reductions as twin
from tf_superpixel_saliency import plots


@pytest.fixture
def rng():
    return np.random.default_rng(13)


@pytest.fixture
def photos():
    return np.stack([data.astronaut()[::16, ::16], data.coffee()[:256:8, :256:8]])


def figure_texts(axes):
    return [text.get_text() for text in axes.flat[0].figure.texts]


def boxes(axes):
    """(left, top, width, height) of each visible Axes, in screen pixels."""
    figure = axes.flat[0].figure
    width, height = figure.get_size_inches() * figure.dpi
    found = []
    for ax in axes.flat:
        if ax.get_visible():
            box = ax.get_position()
            found.append(
                (box.x0 * width, (1 - box.y1) * height, box.width * width)
                + (box.height * height,)
            )
    return np.array(found)


def check_nothing_overlaps_nor_leaves(axes):
    figure = axes.flat[0].figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    extents = [text.get_window_extent(renderer) for text in figure.texts]
    extents += [ax.get_window_extent(renderer) for ax in axes.flat if ax.get_visible()]
    for i, extent in enumerate(extents):
        assert extent.x0 >= 0 and extent.y0 >= 0
        assert extent.x1 <= figure.bbox.x1 and extent.y1 <= figure.bbox.y1
        for other in extents[:i]:
            shared = matplotlib.transforms.Bbox.intersection(extent, other)
            assert shared is None or min(shared.width, shared.height) < 1.0


def test_rows_of_photos_and_columns_of_methods_and_partitions(rng, photos):
    names = [("SimpleGradient", "pixel"), ("SimpleGradient", "Quickshift")]
    names += [("SmoothGrad", "pixel"), ("SmoothGrad", "Quickshift")]
    arrays = {name: rng.standard_normal((2, 32, 32, 3)) for name in names}
    maps = {"SimpleGradient": {}, "SmoothGrad": {}}
    for method, partition in names:
        maps[method][partition] = arrays[method, partition]
    axes = plots.plot_grid(
        photos, maps, row_labels=["one", "two"], percentile=90, figure=Figure()
    )
    assert axes.shape == (2, 5)
    for row in range(2):
        np.testing.assert_allclose(
            axes[row, 0].images[0].get_array() * 255, photos[row], atol=1e-9
        )
        for column, name in enumerate(names, start=1):
            shown = axes[row, column].images[0]
            heatmap = np.abs(arrays[name][row]).sum(-1)
            np.testing.assert_allclose(shown.get_array(), heatmap)
            limit = twin.percentile(heatmap.ravel(), 90)
            assert shown.get_clim() == pytest.approx((heatmap.min(), limit))
    expected = ["Photo", "pixel", "Quickshift", "pixel", "Quickshift", "one", "two"]
    assert sorted(figure_texts(axes)) == sorted(
        [*expected, "SimpleGradient", "SmoothGrad"]
    )
    check_nothing_overlaps_nor_leaves(axes)


def test_rows_of_methods_with_settings_of_their_own(rng, photos):
    maps = {
        "Groups": {name: rng.exponential(size=(2, 32, 32)) for name in "abc"},
        "Algorithms": {name: rng.exponential(size=(2, 32, 32)) for name in "de"},
    }
    axes = plots.plot_grid(photos, maps, rows="methods", figure=Figure())
    assert axes.shape == (4, 4)
    for row, method in enumerate(["Groups", "Algorithms"] * 2):
        photo = row // 2
        np.testing.assert_allclose(
            axes[row, 0].images[0].get_array() * 255, photos[photo], atol=1e-9
        )
        for ax, batch in zip(axes[row, 1:], maps[method].values()):
            np.testing.assert_array_equal(ax.images[0].get_array(), batch[photo])
    assert [ax.get_visible() for ax in axes[:, 3]] == [True, False, True, False]
    texts = figure_texts(axes)
    assert sorted(texts) == sorted(
        (["Photo", *"abc", "Groups"] + ["Photo", *"de", "Algorithms"]) * 2
    )
    check_nothing_overlaps_nor_leaves(axes)


def test_headings_that_are_all_one_are_written_once(rng, photos):
    maps = {m: {"p": rng.exponential(size=(2, 32, 32))} for m in ("A", "B")}
    axes = plots.plot_grid(photos, maps, rows="methods", figure=Figure())
    assert sorted(figure_texts(axes)) == ["A", "A", "B", "B", "Photo", "p"]


def test_a_flat_mapping_and_photos_of_different_sizes(rng):
    photos = [rng.integers(0, 256, (20, 40, 3)), rng.integers(0, 256, (30, 10))]
    maps = {"IG": [rng.exponential(size=p.shape[:2]) for p in photos]}
    axes = plots.plot_grid(photos, maps, figure=Figure())
    FigureCanvasAgg(axes[0, 0].figure).draw()
    for row, photo in enumerate(photos):
        height, width = photo.shape[:2]
        for ax in axes[row]:
            box = ax.get_window_extent()
            assert box.width / box.height == pytest.approx(width / height, rel=1e-6)


def test_long_names_are_wrapped_and_dollars_stay(rng, photos):
    name = "SparsifiedSmoothGrad with $50$ samples and a noise level of 0.15"
    maps = {name: {f"{name} {i}": rng.exponential(size=(2, 32, 32)) for i in "ab"}}
    axes = plots.plot_grid(
        photos, maps, row_labels=[name, "a_b"], cell=1.0, figure=Figure()
    )
    assert " ".join(figure_texts(axes)[-1].split()) == name
    check_nothing_overlaps_nor_leaves(axes)


@pytest.mark.parametrize("size", [(32, 32), (224, 224), (100, 150), (1, 1)])
def test_an_image_pixel_covers_whole_screen_pixels(rng, size):
    image = rng.integers(0, 256, (*size, 3))
    heatmap = rng.exponential(size=size)
    segments = np.arange(size[0] * size[1]).reshape(size) // 50
    axes = plots.plot_explanation(
        image, heatmap, heatmap, segments, "x", figure=plots.new_figure()
    )
    found = boxes(axes)
    np.testing.assert_allclose(found, np.round(found), atol=1e-6)
    factor = found[:, 2:] / (size[1], size[0])
    np.testing.assert_allclose(factor, round(factor[0, 0]), atol=1e-6)


def test_saved_explanation_shows_the_photo_pixel_by_pixel(rng, tmp_path):
    image = data.coffee()[:224, :224]
    heatmap = rng.exponential(size=(224, 224))
    segments = np.kron(np.arange(64).reshape(8, 8), np.ones((28, 28), int))
    before = plt.get_fignums()
    axes = plots.plot_explanation(
        image, heatmap, heatmap, segments, "espresso", figure=plots.new_figure()
    )
    left, top, width, height = np.round(boxes(axes)[0]).astype(int)
    axes[0].figure.savefig(tmp_path / "out.png")
    assert plt.get_fignums() == before
    saved = np.round(plt.imread(tmp_path / "out.png")[..., :3] * 255)
    photo = saved[top : top + height, left : left + width]
    np.testing.assert_allclose(photo[::2, ::2], image, atol=1)
    np.testing.assert_allclose(photo[1::2, 1::2], image, atol=1)
    # No white to spare: a margin, two lines of text, the panels, a margin.
    assert saved.shape[0] < height + 100 and saved.shape[1] < 4 * width + 100


def test_explanation_holds_photo_maps_groups_and_title(rng):
    image = rng.integers(0, 256, (60, 60, 3))
    pixel = rng.standard_normal((60, 60, 3))
    segments = np.kron(np.arange(25).reshape(5, 5), np.ones((12, 12), int))
    means = rng.permutation(np.arange(25.0))
    axes = plots.plot_explanation(
        image, pixel, means[segments], segments, "tabby, 0.79", k=3, figure=Figure()
    )
    assert figure_texts(axes) == [
        "tabby, 0.79",
        "Photo",
        "Pixel map",
        "Super-pixel map",
        "3 highest groups",
    ]
    shown = [ax.images[0].get_array() for ax in axes]
    np.testing.assert_allclose(shown[0] * 255, image)
    np.testing.assert_allclose(shown[1], np.abs(pixel).sum(-1))
    np.testing.assert_array_equal(shown[2], means[segments])
    for rank, text in enumerate(axes[3].texts):
        x, y = np.round(text.get_position()).astype(int)
        assert means[segments[y, x]] == 24 - rank
    check_nothing_overlaps_nor_leaves(axes)


def test_explanation_of_a_failed_image_and_of_parts(rng):
    image, failed = np.zeros((9, 9)), np.full((9, 9), np.nan)
    axes = plots.plot_explanation(
        image, failed, failed, np.zeros((9, 9), int), figure=Figure()
    )
    assert [len(ax.texts) for ax in axes] == [0, 1, 1, 0]
    assert figure_texts(axes)[-1] == "No groups to rank"
    axes = plots.plot_explanation(image, None, failed, None, "t", figure=Figure())
    assert figure_texts(axes) == ["t", "Photo", "Super-pixel map"]


def test_a_new_figure_is_the_only_trace_in_pyplot(rng, photos):
    before, settings = plt.get_fignums(), dict(matplotlib.rcParams)
    axes = plots.plot_grid(photos, {"a": rng.exponential(size=(2, 32, 32))})
    assert len(plt.get_fignums()) == len(before) + 1
    assert plt.gcf() is axes[0, 0].figure
    plt.close(axes[0, 0].figure)
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"images": np.zeros((4, 4, 3))}, r"images\[None\]"),
        ({"images": []}, "at least one image"),
        ({"maps": {}}, "not empty"),
        ({"maps": np.zeros((1, 4, 4))}, "mapping.*ndarray"),
        ({"maps": {"a": np.zeros((1, 4, 4)), "b": {}}}, "mixed depth"),
        ({"maps": {"a": np.zeros((2, 4, 4))}}, "'a' are as many as the images, 1"),
        ({"maps": {"a": np.zeros((1, 5, 4))}}, "images 4×4, maps 5×4"),
        ({"rows": "columns"}, "'images'.*got 'columns'"),
        ({"rows": "methods"}, "nested.*flat maps"),
        ({"row_labels": ["a", "b"]}, "name the 1 images, but got 2"),
        ({"percentile": 101}, r"\(0, 100\]"),
        ({"value_range": (0, 0)}, "lower first"),
    ],
)
def test_bad_input_is_named_before_a_figure_is_made(kwargs, message):
    before = plt.get_fignums()
    good = {"images": np.zeros((1, 4, 4, 3)), "maps": {"a": np.zeros((1, 4, 4))}}
    with pytest.raises(ValueError, match=message):
        plots.plot_grid(**{**good, **kwargs})
    assert plt.get_fignums() == before


def test_a_figure_with_something_in_it_is_refused():
    figure = Figure()
    figure.add_subplot()
    with pytest.raises(ValueError, match=r"must be empty.*1 Axes"):
        plots.plot_explanation(
            np.zeros((4, 4)), None, np.zeros((4, 4)), None, figure=figure
        )
