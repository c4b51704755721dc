"""Bars with their level of chance, curves and trade-offs."""

import numpy as np
import pytest
from matplotlib.legend import Legend

from tf_superpixel_saliency import plots

VALUES = {
    "SmoothGrad": {"pixel": (0.2, 0.1, 0.3), "super-pixel": (0.4, 0.35, 0.5)},
    "LIME": {"regions": (0.3, 0.25, 0.4)},
}
CHANCE = {"SmoothGrad": {"pixel": 0.02, "super-pixel": 0.2}, "LIME": {"regions": 0.1}}


def bars(ax):
    """(centre, height) of each bar, from the left."""
    found = [(p.get_x() + p.get_width() / 2, p.get_height()) for p in ax.patches]
    return sorted(found)


def test_bars_stand_on_their_chance():
    figure, axes = plots.study_figure(1, 1)
    ax = plots.plot_measure(VALUES, axes[0, 0], chance=CHANCE, ylabel="SSIM")
    found = bars(ax)
    heights = [height for _, height in found]
    np.testing.assert_allclose(heights, [0.02, 0.2, 0.2, 0.4, 0.1, 0.3])
    centres = [centre for centre, _ in found]
    # Two bars on either side of their method, a single one right above it.
    np.testing.assert_allclose(centres, [-0.2, -0.2, 0.2, 0.2, 1, 1])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["pixel", "super-pixel", "regions"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["SmoothGrad", "LIME"]
    figure.canvas.draw()


def test_errors_reach_to_the_ends_of_the_interval():
    _, axes = plots.study_figure(1, 1)
    ax = plots.plot_measure(VALUES, axes[0, 0])
    drawn = [line for line in ax.collections if hasattr(line, "get_segments")]
    segments = np.concatenate([line.get_segments() for line in drawn])
    assert {0.1, 0.3, 0.35, 0.5, 0.25, 0.4} == set(
        np.round(segments[..., 1].ravel(), 9)
    )


def test_many_methods_have_slanted_names():
    values = {f"Method {k}": {"pixel": (0.1, 0.0, 0.2)} for k in range(7)}
    _, axes = plots.study_figure(1, 1)
    ax = plots.plot_measure(values, axes[0, 0])
    assert {text.get_rotation() for text in ax.get_xticklabels()} == {20}


def test_curves_and_their_bands():
    _, axes = plots.study_figure(2, 1)
    x = [1, 2, 3]
    curves = {"a": (x, [1, 2, 3]), "b": (x, [3, 2, 1], [2, 1, 0], [4, 3, 2])}
    ax = plots.plot_curves(curves, axes[0, 0], xlabel="share", ylabel="accuracy")
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [3, 2, 1])
    assert len(ax.collections) == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("share", "accuracy")
    ax = plots.plot_tradeoff({"a": ([1, 2], [3, 4], [1, 64])}, axes[0, 1])
    sizes = ax.collections[0].get_sizes()
    assert sizes[1] > sizes[0]


def test_no_two_of_many_curves_look_alike():
    # As many as `evaluate` draws unless told otherwise, and more.
    curves = {f"partition {k}": ([0, 1], [k, k]) for k in range(11)}
    lines = plots.plot_curves(curves).lines[:11]
    looks = {(line.get_color(), line.get_marker()) for line in lines}
    assert len(looks) == 11
    # Where a colour comes again the line is another one too.
    assert [line.get_linestyle() for line in lines] == ["-"] * 8 + ["--"] * 3


def test_no_two_of_many_points_have_one_marker():
    points = {"SmoothGrad": (np.arange(11), np.arange(11), np.ones(11))}
    ax = plots.plot_tradeoff(points, labels=[f"partition {k}" for k in range(11)])
    drawn = [one for one in ax.collections if len(one.get_offsets())]
    shapes = {one.get_paths()[0].vertices.round(6).tobytes() for one in drawn}
    assert len(drawn) == len(shapes) == 11


def test_named_points_have_a_legend_of_their_own():
    _, axes = plots.study_figure(1, 1)
    points = {"SG": ([1, 2], [3, 4], [1, 64]), "SmoothGrad": ([2, 3], [1, 2], [1, 64])}
    ax = plots.plot_tradeoff(points, axes[0, 0], labels=["pixel", "square"])
    assert not any(
        len(line.get_xdata()) == 2 and line.get_color() != "black"
        for line in ax.get_lines()
    )
    legends = [one for one in ax.get_children() if isinstance(one, Legend)]
    texts = [[text.get_text() for text in one.get_texts()] for one in legends]
    assert sorted(texts) == [["SG", "SmoothGrad"], ["pixel", "square"]]
    shown = [one for one in ax.collections if len(one.get_offsets())]
    assert len(shown) == 4
    shapes = [one.get_paths()[0].vertices.shape for one in shown]
    assert shapes[0] == shapes[2] != shapes[1] == shapes[3]


@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_legend_of_bars_lies_on_none_of_them(count):
    values = {
        f"Method {k}": {f"partition {p}": (0.9, 0.8, 1.0) for p in range(count)}
        for k in range(8)
    }
    figure, axes = plots.study_figure(1, 1, 8, 3.6)
    ax = plots.plot_measure(values, axes[0, 0])
    figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    tops = [bar.get_window_extent().y1 for bar in ax.patches]
    ends = ax.transData.transform((0, 1.0))[1]
    assert legend.y0 > max(*tops, ends)
    assert legend.x1 <= ax.bbox.x1
