"""Segments from the caller, for super-pixels that can't be in a graph."""

import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, classifier, photos, relative_error
from tests.serving.models import named_classifier
from tests.serving.server import Server

HOST = [
    lambda: tss.Felzenszwalb(scale=50),
    lambda: tss.CompactWatershed(),
    lambda: tss.SquareGrid(like=tss.Felzenszwalb(scale=50)),
]


@pytest.mark.parametrize("layer", HOST)
def test_host_super_pixels_are_refused_with_the_way_out(tmp_path, layer):
    explainer = tss.SimpleGradient(classifier(), layer())
    with pytest.raises(ValueError, match=r'scikit-image on the host.*segments="input"'):
        tss.export(explainer, tmp_path / "e")
    assert not list(tmp_path.iterdir())


def test_every_point_segmented_anew_on_the_host(tmp_path):
    explainer = tss.SmoothGrad(classifier(), HOST[0](), 2, partition="dynamic")
    with pytest.raises(ValueError, match='not for partition="dynamic"'):
        tss.export(explainer, tmp_path / "e", segments="input")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def explainer():
    return tss.SmoothGrad(named_classifier(), HOST[0](), num_samples=3)


@pytest.fixture(scope="module")
def server(tmp_path_factory, explainer):
    folder = tmp_path_factory.mktemp("served")
    return Server(tss.export(explainer, folder, segments="input", warm_up=(1,)))


@pytest.mark.thorough
def test_segments_are_an_input(server, explainer):
    images, targets = photos(3), np.int32([-1, 2, 0])
    segments = explainer.superpixels(images).numpy()
    out = server.predict(
        "explain_maps", {"images": images, "targets": targets, "segments": segments}
    )
    expected = as_arrays(explainer(images, targets))
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
    np.testing.assert_array_equal(out["segments"], expected["segments"])
    assert segments.max() > 1


def test_they_may_be_numbered_in_any_way(server, explainer):
    images, targets = photos(2), np.int32([1, 1])
    segments = explainer.superpixels(images).numpy()
    odd = 2**31 - 1 - 100_000 * segments  # some are negative
    plain, other = (
        server.predict("explain", {"images": images, "targets": targets, "segments": s})
        for s in (segments, odd)
    )
    for key in plain:
        np.testing.assert_array_equal(plain[key], other[key])


def test_there_is_no_signature_for_files(server):
    assert "explain_image_bytes" not in server.signatures
    shape = server.signatures["explain"].inputs["segments"].tensor_shape
    assert [d.size for d in shape.dim] == [-1, 12, 11]


def test_super_pixels_of_the_graph_may_be_replaced_too(tmp_path):
    explainer = tss.SimpleGradient(named_classifier(), tss.Quickshift())
    server = Server(tss.export(explainer, tmp_path, segments="input", warm_up=()))
    halves = np.zeros((1, 12, 11), np.int32)
    halves[:, 6:] = 1
    out = server.predict(
        "explain",
        {"images": photos(1), "targets": np.int32([2]), "segments": halves},
    )
    expected = explainer(photos(1), [2], segments=halves)["heatmaps"]
    assert relative_error(out["heatmaps"], expected).max() < 1e-5
