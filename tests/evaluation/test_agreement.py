"""Agreement as measured directly, on networks and on noise with known answers."""

import itertools

import numpy as np
import pytest

from tests.evaluation.networks import map_store
from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import (
    BLUR,
    COSINE,
    MEASURES,
    SSIM,
    _near,
    agreement,
)
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.storage import PartStore
from tf_superpixel_saliency.metrics.verdicts import DOES_NOT_HOLD, verdict
from tf_superpixel_saliency.superpixels import SLIC

MEASURED = [measure for measure in MEASURES if measure.name in (SSIM, COSINE)]


class Noise:
    """A 'method' whose maps know nothing of any image or network."""

    name, settings, seeded = "Noise", {}, True

    def explainer(self, model, seed, **settings):
        del model, settings
        rng = np.random.default_rng([seed, 77])

        class Map:
            def __init__(self, values):
                self.values = values

            def numpy(self):
                return self.values

        def explain(images, targets):
            del targets
            return {"maps": Map(rng.standard_normal(images.shape).astype(np.float32))}

        return explain


def uneven(images):
    """One large group beside single pixels, so that means of noise differ in size."""
    height, width = images.shape[1:3]
    labels = np.arange(height * width, dtype=np.int32).reshape(height, width)
    labels[:, 8:] = 8
    return np.broadcast_to(labels, images.shape[:3])


def partitions():
    layer = SLIC(n_segments=20)
    return [
        parts.Partition(parts.PIXEL, None),
        parts.superpixel_partition(layer),
        *parts.controls(layer, (parts.RANDOM,), num_seeds=2),
    ]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreement")
    maps = map_store(folder / "maps")
    methods = gradient_methods(["SimpleGradient", "SmoothGrad"], num_samples=3)
    options = {"num_seeds": 4, "blur_like": parts.SUPERPIXEL}
    store = PartStore(folder / "parts")
    found = agreement(store, maps, maps.networks, methods, partitions(), **options)
    return folder, maps, methods, found


@pytest.mark.thorough
def test_equals_the_metrics_on_the_maps(measured):
    _, maps, methods, found = measured
    assert found.partitions == ("pixel", "super-pixel", "random", BLUR)
    assert found.values.shape == (2, 4, 6, len(MEASURES), 5)
    segments = partitions()[1].segments(maps.images)
    for method in methods:
        for start in (0, 4):
            chunk = maps.chunks[start // 4]
            a, b = (maps.maps(network, method, chunk) for network in maps.networks)
            beside = maps.chunks[1 - start // 4]
            wanted = metrics.chance_corrected(
                metrics.structural_similarity,
                a,
                b,
                segments[chunk],
                num_seeds=4,
                others=maps.maps(maps.networks[1], method, beside),
            )
            for field in ("observed", "chance", "excess", "chance_other"):
                own = found.of(method.name, "super-pixel", SSIM, field)[chunk]
                np.testing.assert_allclose(own, getattr(wanted, field), rtol=1e-6)
            plain = found.of(method.name, "pixel", COSINE)[chunk]
            np.testing.assert_allclose(plain, metrics.cosine_similarity(a, b))


@pytest.mark.parametrize(
    "sizes, number, beside",
    [
        ((8, 8, 8, 8, 8), 0, (1, 2)),
        ((8, 8, 8, 8, 8), 1, (0, 2)),
        ((8, 8, 8, 8, 8), 4, (2, 3)),  # a block of its own has too few
        ((8, 8, 8, 8), 3, (1, 2)),
        ((8, 8, 8, 8, 8, 9), 4, (3, 5)),
        ((50, 50, 2), 2, (1,)),
        ((50, 50, 2), 1, ()),
        ((8, 8), 0, (1,)),
        ((50, 50), 1, ()),
        ((5,), 0, ()),
    ],
)
def test_chance_is_drawn_from_chunks_beside(sizes, number, beside):
    ends = np.cumsum((0, *sizes))
    chunks = [np.arange(*pair) for pair in itertools.pairwise(ends)]
    found = _near(chunks, chunks[number], 20)
    assert [chunk[0] for chunk in found] == [chunks[other][0] for other in beside]


def test_networks_have_noise_of_their_own_unless_told(measured):
    folder, maps, methods, found = measured
    same = agreement(
        PartStore(folder / "same"),
        maps,
        maps.networks,
        methods[1:],
        partitions()[:1],
        MEASURED,
        num_seeds=1,
        seed_b=maps.networks[0].seed,
    )
    own = found.of("SmoothGrad", "pixel", COSINE)
    assert not np.allclose(same.of("SmoothGrad", "pixel", COSINE), own)


def test_partitions_of_one_name_are_averaged(measured):
    folder, maps, methods, found = measured
    values = []
    for seed in (0, 1):
        (partition,) = [p for p in partitions() if (p.name, p.seed) == ("random", seed)]
        store = PartStore(folder / f"random{seed}")
        one = agreement(store, maps, maps.networks, methods[:1], [partition], MEASURED)
        values.append(one.of("SimpleGradient", "random", COSINE))
    np.testing.assert_allclose(
        found.of("SimpleGradient", "random", COSINE), np.mean(values, 0), rtol=1e-6
    )


def test_a_second_run_computes_nothing(measured, monkeypatch):
    folder, maps, methods, found = measured

    def refuse(*args, **kwargs):
        raise AssertionError("computed again")

    monkeypatch.setattr(metrics.chance, "chance_corrected", refuse)
    monkeypatch.setattr(type(maps), "maps", refuse)
    again = agreement(
        PartStore(folder / "parts"),
        maps,
        maps.networks,
        methods,
        partitions(),
        num_seeds=4,
        blur_like=parts.SUPERPIXEL,
    )
    np.testing.assert_array_equal(again.values, found.values)


def test_white_noise_agrees_by_chance_alone(tmp_path):
    maps = map_store(tmp_path / "maps", count=24, chunk_size=24)
    layer = SLIC(n_segments=20)
    which = [
        parts.Partition("uneven", uneven),
        parts.superpixel_partition(layer),
        *parts.controls(layer, (parts.SQUARE, parts.RANDOM), num_seeds=1),
    ]
    store = PartStore(tmp_path / "parts")
    found = agreement(store, maps, maps.networks, [Noise()], which, MEASURED, 20)
    observed = found.of("Noise", "uneven", SSIM)
    assert observed.mean() > 0.3  # it looks like agreement
    for partition in found.partitions:
        for measure in (SSIM, COSINE):
            excess = found.of("Noise", partition, measure, "excess")
            interval = metrics.bootstrap_interval(excess, level=0.999)
            error = excess.std() / np.sqrt(len(excess))
            assert abs(excess.mean()) < 3 * error
            assert verdict(interval) == DOES_NOT_HOLD


def test_a_network_agrees_with_itself(tmp_path):
    maps = map_store(tmp_path / "maps", count=4)
    twin = (maps.networks[0], maps.networks[0]._replace(name="twin"))
    (method,) = gradient_methods(["SimpleGradient"])
    store = PartStore(tmp_path / "parts")
    found = agreement(store, maps, twin, [method], partitions()[:2], MEASURED, 3)
    for partition in found.partitions:
        for measure in (SSIM, COSINE):
            for field in ("observed", "excess"):
                values = found.of("SimpleGradient", partition, measure, field)
                np.testing.assert_allclose(values, 1, atol=1e-6)
