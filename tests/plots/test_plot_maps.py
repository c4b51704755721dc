from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage import data

from tests.reference import reductions as twin
from tf_superpixel_saliency import plots

SCALE = 8  # screen pixels an image pixel


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def exact_axes(height, width):
    """Axes that fill a figure, on which an image pixel has SCALE² screen pixels."""
    figure = Figure(figsize=(width * SCALE / 100, height * SCALE / 100), dpi=100)
    return figure.add_axes((0, 0, 1, 1))


def rendered(ax):
    """(H, W, 3) in 0…255: the screen pixel at the middle of each image pixel."""
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    screen = np.asarray(canvas.buffer_rgba())[..., :3]
    return screen[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE].astype(int)


def colors(values, name):
    return np.round(np.array(matplotlib.colormaps[name](values))[..., :3] * 255)


@pytest.mark.parametrize("percentile", [50, 99, 100])
def test_screen_colours_are_those_of_the_clipped_and_scaled_map(rng, percentile):
    heatmap = rng.exponential(size=(9, 12)) * 1e-5
    ax = plots.plot_map(heatmap, exact_axes(9, 12), percentile)
    expected = colors(twin.clipped_unit(heatmap.tolist(), percentile), "inferno")
    # 256 colours: a value at the border of two may fall to the next.
    assert np.abs(rendered(ax) - expected).max() <= 8
    assert ax.images[0].get_clim() == pytest.approx(
        (heatmap.min(), twin.percentile(heatmap.ravel(), percentile)), rel=1e-12
    )
    np.testing.assert_array_equal(ax.images[0].get_array(), heatmap)


def test_scale_of_a_map_does_not_change_the_picture(rng):
    heatmap = rng.exponential(size=(6, 6))
    pictures = [
        rendered(plots.plot_map((heatmap * scale).astype("float32"), exact_axes(6, 6)))
        for scale in (1e-30, 1.0, 1e30)
    ]
    for picture in pictures[1:]:
        assert np.abs(picture - pictures[0]).max() <= 8


def test_channels_are_summed_in_absolute_value_or_with_signs(rng):
    maps = rng.standard_normal((5, 7, 3))
    ax = plots.plot_map(maps, exact_axes(5, 7))
    np.testing.assert_allclose(ax.images[0].get_array(), np.abs(maps).sum(-1))
    ax = plots.plot_map(maps, exact_axes(5, 7), signed=True)
    np.testing.assert_allclose(ax.images[0].get_array(), maps.sum(-1))


def test_signed_colours_are_symmetric_about_zero(rng):
    values = np.concatenate([rng.exponential(size=20), -3 * rng.exponential(size=19)])
    values = np.append(values, 0.0).reshape(5, 8)
    ax = plots.plot_map(values, exact_axes(5, 8), 90, signed=True)
    low, high = ax.images[0].get_clim()
    assert -low == high == pytest.approx(twin.percentile(np.abs(values).ravel(), 90))
    screen = rendered(ax)
    assert np.ptp(screen[4, 7]) <= 4 and screen[4, 7].min() > 240
    red_minus_blue = screen[..., 0] - screen[..., 2]
    strong = np.abs(values) > 0.2 * high
    assert (np.sign(red_minus_blue) == np.sign(values))[strong].all()


@pytest.mark.parametrize("value", [0.0, 1e-12, 7.0])
@pytest.mark.parametrize("signed", [False, True])
def test_a_constant_map_is_drawn_in_one_colour(value, signed):
    ax = plots.plot_map(np.full((6, 6), value), exact_axes(6, 6), signed=signed)
    screen = rendered(ax)
    assert (screen == screen[0, 0]).all()
    if not signed:
        np.testing.assert_allclose(screen[0, 0], colors(0.0, "inferno"), atol=1)
    elif value == 0:
        assert screen[0, 0].min() > 240
    assert not ax.texts


def test_few_hot_pixels_of_a_sparse_map_are_seen():
    heatmap = np.zeros((20, 20))
    heatmap[3, 4] = 2.0
    ax = plots.plot_map(heatmap, exact_axes(20, 20), 99)
    screen = rendered(ax)
    np.testing.assert_allclose(screen[3, 4], colors(1.0, "inferno"), atol=1)
    np.testing.assert_allclose(screen[0, 0], colors(0.0, "inferno"), atol=1)


def test_a_failed_map_is_hatched_and_says_so():
    for ax in (
        plots.plot_map(np.full((30, 30), np.nan), exact_axes(30, 30)),
        plots.plot_overlay(
            np.zeros((30, 30)), np.full((30, 30), np.nan), exact_axes(30, 30)
        ),
    ):
        assert [text.get_text() for text in ax.texts] == ["no map"]
        assert [patch.get_hatch() for patch in ax.patches] == ["///"]
        screen = rendered(ax)
        # Grey of several tones, which no colour of inferno is.
        assert np.ptp(screen, axis=-1).max() <= 2
        assert len(np.unique(screen[:8, :, 0])) >= 2
        assert ax.get_xlim() == (-0.5, 29.5) and ax.get_ylim() == (29.5, -0.5)


def test_a_pixel_without_a_value_is_grey_and_leaves_the_others_alone(rng):
    heatmap = rng.exponential(size=(6, 6))
    holed = heatmap.copy()
    holed[2, 3], holed[4, 4] = np.nan, np.inf
    screen = rendered(plots.plot_map(holed, exact_axes(6, 6), 100, cmap="viridis"))
    np.testing.assert_allclose(screen[[2, 4], [3, 4]], 153, atol=1)
    finite = np.isfinite(holed)
    low, high = holed[finite].min(), holed[finite].max()
    expected = colors((heatmap - low) / (high - low), "viridis")
    assert np.abs(screen - expected)[finite].max() <= 8


def test_overlay_shows_the_grey_photo_where_cold_and_colour_where_hot(rng):
    image = data.astronaut()[::16, ::16]
    heatmap = np.zeros((32, 32))
    heatmap[:, 16:] = 1.0
    ax = plots.plot_overlay(image, heatmap, exact_axes(32, 32), 100, alpha=0.75)
    screen = rendered(ax)
    luma = image @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(screen[:, :16], luma[:, :16, None] + [0] * 3, atol=1.5)
    # Bytes are rounded three times: colours, opacity, and their mixture.
    mixed = 0.25 * luma[:, 16:, None] + 0.75 * colors(1.0, "inferno")
    np.testing.assert_allclose(screen[:, 16:], mixed, atol=3)


def test_photos_of_every_kind_are_drawn_alike(rng):
    image = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    segments = np.zeros((6, 8), int)

    def drawn(image, **kwargs):
        return rendered(plots.plot_groups(image, segments, exact_axes(6, 8), **kwargs))

    np.testing.assert_allclose(drawn(image), image, atol=1)
    for scaled, value_range in (
        (image.astype(np.float32), (0, 255)),
        (image / 255.0, (0, 1)),
        (image / 127.5 - 1.0, (-1, 1)),
    ):
        np.testing.assert_allclose(
            drawn(scaled, value_range=value_range), image, atol=1
        )
    gray = image[..., :1]
    np.testing.assert_allclose(drawn(gray), np.repeat(gray, 3, -1), atol=1)
    np.testing.assert_array_equal(drawn(gray[..., 0]), drawn(gray))


def test_overshoot_of_a_resize_is_cut_off_and_more_is_refused():
    image = np.array([[-4.0, 259.0], [0.0, 255.0]])
    screen = rendered(plots.plot_groups(image, np.zeros((2, 2), int), exact_axes(2, 2)))
    np.testing.assert_array_equal(screen[..., 0], [[0, 255], [0, 255]])
    for bad in (image * 2, image - 128):
        with pytest.raises(ValueError, match=r"outside of value_range=\(0, 255\)"):
            plots.plot_overlay(bad, np.zeros((2, 2)))


def test_a_photo_that_would_be_black_is_warned_of():
    with pytest.warns(UserWarning, match=r"Pass value_range=\(0, 1\)"):
        plots.plot_overlay(np.full((2, 2), 0.7), np.zeros((2, 2)), exact_axes(2, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.plot_map(np.zeros(5)), r"\(H, W\).*shape \(5,\)"),
        (lambda: plots.plot_map(np.zeros((2, 4, 4, 3))), r"heatmaps\[0\]"),
        (lambda: plots.plot_map(-np.ones((4, 4))), "signed=True"),
        (lambda: plots.plot_map(np.ones((4, 4)), None, 0), r"\(0, 100\]"),
        (lambda: plots.plot_map(np.ones((4, 4)), None, np.nan), r"\(0, 100\]"),
        (lambda: plots.plot_overlay(np.zeros((4, 4)), np.ones((5, 4))), "4×4.*5×4"),
        (
            lambda: plots.plot_overlay(np.ones((4, 4, 5)), np.ones((4, 4))),
            r"image\[\.\.\., :3\]",
        ),
        (
            lambda: plots.plot_overlay(np.full((4, 4), np.nan), np.ones((4, 4))),
            "nan_to_num",
        ),
        (
            lambda: plots.plot_overlay(
                np.ones((4, 4)), np.ones((4, 4)), value_range=(1, 0)
            ),
            "lower first.*got",
        ),
        (
            lambda: plots.plot_overlay(np.ones((4, 4)), np.ones((4, 4)), alpha=2),
            r"\[0, 1\], but got 2",
        ),
    ],
)
def test_bad_input_is_named_before_a_figure_is_made(call, message):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    with pytest.raises(ValueError, match=message):
        call()
    assert plt.get_fignums() == before


def test_axes_given_are_used_and_pyplot_stays_out_of_it(rng):
    import matplotlib.pyplot as plt

    before, settings = plt.get_fignums(), dict(matplotlib.rcParams)
    ax = exact_axes(5, 5)
    assert plots.plot_map(rng.exponential(size=(5, 5)), ax) is ax
    assert plots.plot_overlay(np.full((5, 5), 9), np.ones((5, 5)), ax) is ax
    assert plt.get_fignums() == before
    own = plots.plot_map(rng.exponential(size=(5, 5)))
    assert len(plt.get_fignums()) == len(before) + 1
    plt.close(own.figure)
    assert dict(matplotlib.rcParams) == settings


def test_settings_of_the_user_turn_no_map_over(rng):
    heatmap = rng.exponential(size=(6, 6))
    plain = rendered(plots.plot_map(heatmap, exact_axes(6, 6)))
    odd = {"image.origin": "lower", "axes.grid": True, "image.cmap": "jet"}
    with matplotlib.rc_context({**odd, "image.interpolation": "bilinear"}):
        np.testing.assert_array_equal(
            rendered(plots.plot_map(heatmap, exact_axes(6, 6))), plain
        )


def test_arrays_are_left_as_they_came(rng):
    image = rng.uniform(0, 255, (6, 6, 3))
    maps = rng.standard_normal((6, 6, 3))
    maps[0, 0] = np.nan
    before = image.copy(), maps.copy()
    for array in (image, maps):
        array.flags.writeable = False
    plots.plot_map(maps, exact_axes(6, 6))
    plots.plot_overlay(image, maps, exact_axes(6, 6))
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(maps, before[1])
