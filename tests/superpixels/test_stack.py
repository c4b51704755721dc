import keras
import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.superpixels.stack import SuperpixelStack

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 12, 10, 3)).astype("uint8")
GRIDS = [tss.SquareGrid(size=size) for size in (2, 5, 20)]


def test_it_holds_the_partitions_of_its_layers():
    segments = SuperpixelStack(GRIDS)(IMAGES).numpy()
    assert segments.shape == (2, 3, 12, 10)
    for layer, one in zip(GRIDS, np.moveaxis(segments, 1, 0)):
        np.testing.assert_array_equal(one, layer(IMAGES))


def test_saving():
    stack = SuperpixelStack(GRIDS)
    again = SuperpixelStack.from_config(stack.get_config())
    np.testing.assert_array_equal(again(IMAGES), stack(IMAGES))
    inputs = keras.Input((12, 10, 3))
    model = keras.Model(inputs, stack(inputs))
    assert model.output_shape == (None, 3, 12, 10)


def test_one_host_layer_is_enough_to_be_on_the_host():
    assert not SuperpixelStack(GRIDS).on_host
    assert SuperpixelStack(GRIDS).supports_jit
    host = SuperpixelStack([*GRIDS, tss.Felzenszwalb()])
    assert host.on_host
    assert not host.supports_jit


def test_bad_layers_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        SuperpixelStack([])
    with pytest.raises(TypeError, match="list holds 3"):
        SuperpixelStack([tss.SLIC(), 3])
    ranges = [tss.SLIC(value_range=(0, 1)), tss.SLIC()]
    with pytest.raises(ValueError, match="value_range"):
        SuperpixelStack(ranges)
