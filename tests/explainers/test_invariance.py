"""A map depends on its image, its class and the seed: on nothing beside."""

import functools

import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, classifier, photos, relative_error
from tests.explainers.partitions import Brightness

EXPLAINERS = {
    "simple": functools.partial(tss.SimpleGradient),
    "smooth": functools.partial(tss.SmoothGrad, num_samples=7),
    "dynamic": functools.partial(tss.SmoothGrad, num_samples=7, partition="dynamic"),
    "sparsified": functools.partial(
        tss.SparsifiedSmoothGrad, num_samples=7, order="sparsify_last", relaxed=True
    ),
    "integrated": functools.partial(
        tss.IntegratedGradients, num_steps=7, quadrature="adaptive"
    ),
}
TARGETS = np.array([4, -1, 0, 1, 2, -1, 3])


def build(name, **kwargs):
    return EXPLAINERS[name](classifier(), Brightness(), **kwargs)


@pytest.fixture(scope="module", params=EXPLAINERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def explainer(name):
    return build(name)


@pytest.fixture(scope="module")
def expected(explainer):
    return as_arrays(explainer(photos(7), TARGETS))


def check(out, expected):
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(out[key], expected[key])
    for key in set(expected) - {"maps", "segments", "targets", "status"}:
        np.testing.assert_allclose(
            out[key], expected[key], rtol=2e-5, atol=1e-6, err_msg=key
        )


@pytest.mark.cases(1)
def test_reruns_are_bit_equal(name, explainer, expected):
    again = as_arrays(explainer(photos(7), TARGETS))
    anew = as_arrays(build(name)(photos(7), TARGETS))
    for key in expected:
        np.testing.assert_array_equal(again[key], expected[key])
        np.testing.assert_array_equal(anew[key], expected[key])


@pytest.mark.parametrize("batch", range(1, 7))
def test_batch_size(explainer, expected, batch):
    parts = [
        as_arrays(explainer(photos(7)[i : i + batch], TARGETS[i : i + batch]))
        for i in range(0, 7, batch)
    ]
    check({k: np.concatenate([p[k] for p in parts]) for k in expected}, expected)


def test_order_of_the_images(explainer, expected):
    order = np.random.default_rng(0).permutation(7)
    out = as_arrays(explainer(photos(7)[order], TARGETS[order]))
    check(out, {key: value[order] for key, value in expected.items()})


@pytest.mark.cases(1)
def test_predict(explainer, expected):
    inputs = {"images": photos(7), "targets": TARGETS}
    for batch_size in (1, 4, 32):
        check(explainer.predict(inputs, batch_size=batch_size, verbose=0), expected)


@pytest.mark.cases(1)
@pytest.mark.parametrize("chunk_size", [1, 5, 64])
def test_chunk_size(name, expected, chunk_size):
    if name == "simple":
        pytest.skip("has one gradient")
    explainer = build(name, chunk_size=chunk_size)
    check(as_arrays(explainer(photos(7), TARGETS)), expected)
    one = as_arrays(explainer(photos(7)[:1], TARGETS[:1]))
    check(one, {key: value[:1] for key, value in expected.items()})


@pytest.mark.cases(1)
def test_xla(name, expected):
    compiled = build(name)
    compiled.compile(jit_compile=True)
    first = as_arrays(compiled(photos(7), TARGETS))
    check(first, expected)
    again = as_arrays(compiled(photos(7), TARGETS))
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])


@pytest.mark.cases(1)
def test_xla_under_predict(name, expected):
    if name not in ("dynamic", "integrated"):
        pytest.skip("two stand for all")
    compiled = build(name)
    compiled.compile(jit_compile=True)
    # The last batch is filled up to the size of the others.
    inputs = {"images": photos(7), "targets": TARGETS}
    check(compiled.predict(inputs, batch_size=5, verbose=0), expected)
