"""A map with its standard error: what is drawn, and what is refused."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

from tf_superpixel_saliency import plots

IMAGE = np.full((4, 6, 3), 128.0)


def picture(maps, error, **kwargs):
    return plots.plot_uncertainty(IMAGE, maps, error, **kwargs)


def drawn(ax):
    return ax.images[-1].get_array()


def test_what_stands_out_is_shown_and_the_rest_is_not():
    maps = np.zeros((4, 6, 3))
    maps[:, :2, 0] = 4.0
    maps[:, 2:4, 1] = -1.5  # below two errors, in every channel
    axes = picture(maps, np.ones((4, 6, 3)))
    assert drawn(axes[1]).max() == 4 and drawn(axes[2]).max() == 3
    shown = drawn(axes[3])
    assert not shown.mask[:, :2].any() and shown.mask[:, 2:].all()
    assert "33%" in "".join(text.get_text() for text in axes[0].figure.texts)
    limits = {ax.images[-1].get_clim() for ax in axes[1:]}
    assert len(limits) == 1  # one scale for the map and its error


def test_one_channel_is_enough_and_the_factor_counts():
    maps = np.ones((4, 6, 3)) * np.array([0.0, 0.0, -3.0])
    axes = picture(maps, np.ones((4, 6, 3)), num_errors=3)
    assert not drawn(axes[3]).mask.any()
    axes = picture(maps, np.ones((4, 6, 3)), num_errors=3.1)
    assert drawn(axes[3]).mask.all()


def test_a_zero_without_error_does_not_stand_out():
    maps = np.zeros((4, 6, 1))
    maps[0, 0] = 1.0
    shown = drawn(picture(maps, np.zeros((4, 6, 1)))[3])
    assert (~shown.mask).sum() == 1


@pytest.mark.parametrize(
    "maps, error, kwargs, text",
    [
        (np.ones((4, 6)), np.ones((4, 6)), {}, "shape .H, W, C."),
        (np.ones((4, 6, 3)), np.ones((4, 6, 1)), {}, "both of shape"),
        (np.ones((4, 5, 3)), np.ones((4, 5, 3)), {}, "size"),
        (np.ones((4, 6, 3)), np.full((4, 6, 3), np.nan), {}, "three samples"),
        (np.ones((4, 6, 3)), np.ones((4, 6, 3)), {"num_errors": -1}, "num_errors"),
        (np.ones((4, 6, 3)), np.ones((4, 6, 3)), {"percentile": 0}, "percentile"),
    ],
)
def test_what_makes_no_sense_is_refused(maps, error, kwargs, text):
    with pytest.raises(ValueError, match=text):
        picture(maps, error, **kwargs)
