from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from skimage import data, segmentation

from tests.reference import reductions as twin
from tf_superpixel_saliency import plots
from tf_superpixel_saliency.plots import badges, outlines

SCALE = 12  # screen pixels an image pixel


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def exact_axes(height, width, scale=SCALE):
    figure = Figure(figsize=(width * scale / 100, height * scale / 100), dpi=100)
    return figure.add_axes((0, 0, 1, 1))


def screen(ax):
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def unit_edges(lines):
    """Straight lines cut at every pixel: each edge once, or an error."""
    edges = set()
    for (x0, y0), (x1, y1) in np.asarray(lines):
        length = round(abs(x1 - x0) + abs(y1 - y0))
        assert length >= 1 and (x0 == x1 or y0 == y1)
        for step in range(length):
            if x0 == x1:
                edge = ((x0, y0 + step), (x0, y0 + step + 1))
            else:
                edge = ((x0 + step, y0), (x0 + step + 1, y0))
            assert edge not in edges
            edges.add(edge)
    return edges


def outlines_of(ax):
    """The lines drawn, after a check that dark and light ones are the same."""
    dark, light = (c for c in ax.collections if isinstance(c, LineCollection))
    assert dark.get_linewidth()[0] > light.get_linewidth()[0]
    assert dark.get_color()[0][:3].max() == 0 and light.get_color()[0][:3].max() == 1
    np.testing.assert_array_equal(dark.get_segments(), light.get_segments())
    return unit_edges(light.get_segments())


def test_lines_of_two_groups_by_hand():
    segments = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]])
    lines = {tuple(map(tuple, line)) for line in outlines.boundary_lines(segments)}
    assert lines == {((1.5, -0.5), (1.5, 1.5)), ((1.5, 1.5), (2.5, 1.5))}


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (17, 23)])
def test_lines_are_where_neighbours_differ(rng, shape):
    segments = rng.integers(-2, 3, shape)
    found = unit_edges(outlines.boundary_lines(segments))
    assert found == twin.boundary_edges(segments.tolist())


def test_outlines_of_a_real_photo_are_the_twins():
    image = data.chelsea()[60:124, 120:200]
    segments = segmentation.quickshift(image, ratio=0.2, kernel_size=1, max_dist=3)
    ax = plots.plot_groups(image, segments, exact_axes(64, 80, 2))
    assert segments.max() > 20
    assert outlines_of(ax) == twin.boundary_edges(segments.tolist())


@pytest.mark.parametrize("brightness", [0, 255])
def test_outlines_are_seen_on_dark_and_on_light(rng, brightness):
    segments = rng.integers(0, 2, (10, 14)) * 3 + 1
    image = np.full((10, 14), brightness)
    pixels = screen(plots.plot_groups(image, segments, exact_axes(10, 14)))
    for i in range(10):
        for j in range(13):
            middle = pixels[i * SCALE + 6, (j + 1) * SCALE - 4 : (j + 1) * SCALE + 4]
            contrast = np.abs(middle.max(-1) - brightness).max()
            if segments[i, j] != segments[i, j + 1]:
                assert contrast > 100
            else:
                assert contrast == 0
    # The lines leave the middles of the pixels alone.
    assert (pixels[6::SCALE, 6::SCALE] == brightness).all()


def test_top_groups_are_outlined_and_numbered_by_rank(rng):
    segments = np.kron(np.arange(30).reshape(5, 6), np.ones((6, 7), int))
    heatmap = rng.permutation(np.arange(30.0))[segments]
    image = np.full((30, 42, 3), 200)
    ax = plots.plot_top_groups(
        image, segments, heatmap, 4, exact_axes(30, 42, 24), dim=0.5
    )
    best = [g[0] for g in twin.ranking(heatmap.tolist(), segments.tolist())[:4]]
    assert outlines_of(ax) == twin.group_edges(segments.tolist(), set(best))
    assert [text.get_text() for text in ax.texts] == ["1", "2", "3", "4"]
    for label, text in zip(best, ax.texts):
        x, y = np.round(text.get_position()).astype(int)
        assert segments[y, x] == label
    assert not ax.lines
    drawn = ax.images[0].get_array() * 255
    bright = np.isin(segments, best)
    np.testing.assert_allclose(drawn[bright], 200)
    np.testing.assert_allclose(drawn[~bright], 100)
    assert ax.get_xlim() == (-0.5, 41.5) and ax.get_ylim() == (29.5, -0.5)


def test_neighbours_among_the_highest_keep_their_line():
    segments = np.array([[0, 1, 2, 2]])
    ax = plots.plot_top_groups(
        np.zeros((1, 4)), segments, np.array([[3.0, 2, 1, 1]]), 2, exact_axes(1, 4)
    )
    assert ((0.5, -0.5), (0.5, 0.5)) in outlines_of(ax)


def boxes_overlap(a, b):
    return (np.abs(a[0] - b[0]) < (np.array(a[1]) + b[1]) / 2 - 1e-9).all()


@pytest.mark.parametrize("seed", range(4))
def test_ranks_of_small_groups_stand_apart_inside_the_image(seed):
    rng = np.random.default_rng(seed)
    # Ten groups of a few pixels in one corner: the hardest to write on.
    masks = []
    for _ in range(10):
        mask = np.zeros((100, 120), bool)
        y, x = rng.integers(0, 24, 2)
        mask[y : y + rng.integers(1, 4), x : x + rng.integers(1, 4)] = True
        masks.append(mask)
    sizes = [(8.0 + 4 * (i == 9), 9.0) for i in range(10)]
    found = badges.places(masks, sizes)
    boxes = [(center, size) for (center, _), size in zip(found, sizes)]
    for i, (center, size) in enumerate(boxes):
        half = np.array(size) / 2
        assert (center - half >= -0.5).all()
        assert (center + half <= (119.5, 99.5)).all()
        assert not any(boxes_overlap(boxes[i], other) for other in boxes[:i])
    for mask, (_, anchor) in zip(masks, found):
        pixels = np.argwhere(mask)[:, ::-1]
        assert np.linalg.norm(pixels - anchor, axis=1).min() < 1.5 + 1e-9


def test_more_ranks_than_fit_are_written_all_the_same():
    segments = np.arange(16).reshape(4, 4)
    ax = plots.plot_top_groups(
        np.zeros((4, 4)), segments, segments * 1.0, 16, exact_axes(4, 4, 10)
    )
    assert len(ax.texts) == 16
    screen(ax)


def test_a_failed_map_outlines_nothing():
    ax = plots.plot_top_groups(
        np.full((4, 4), 80),
        np.zeros((4, 4), int),
        np.full((4, 4), np.nan),
        10,
        exact_axes(4, 4),
    )
    assert not ax.texts
    assert (screen(ax) == 80).all()


def test_any_integers_are_labels_and_arrays_are_left_as_they_came(rng):
    segments = rng.integers(0, 4, (12, 12))
    heatmap = rng.exponential(size=(12, 12))
    image = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    before = image.copy(), segments.copy(), heatmap.copy()
    for array in (image, segments, heatmap):
        array.flags.writeable = False
    first = outlines_of(plots.plot_groups(image, segments, exact_axes(12, 12)))
    odd = np.array([7, -3, 10**12, 0])[segments]
    assert outlines_of(plots.plot_groups(image, odd, exact_axes(12, 12))) == first
    plots.plot_top_groups(image, segments, heatmap, 2, exact_axes(12, 12))
    for array, copy in zip((image, segments, heatmap), before):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i, s, h: plots.plot_groups(i, s[None]), r"segments\[0\]"),
        (lambda i, s, h: plots.plot_groups(i, s * 1.0), "float64.*astype"),
        (lambda i, s, h: plots.plot_groups(i[1:], s), "image 3×4, segments 4×4"),
        (lambda i, s, h: plots.plot_top_groups(i, s, h[1:]), "heatmap 3×4"),
        (lambda i, s, h: plots.plot_top_groups(i, s, h, 0), "at least 1"),
        (lambda i, s, h: plots.plot_top_groups(i, s, h, dim=-1), r"\[0, 1\]"),
        (lambda i, s, h: plots.plot_top_groups(i + 300, s, h), "value_range"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((4, 4)), np.zeros((4, 4), int), np.ones((4, 4)))
