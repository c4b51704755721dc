"""Fidelity as the metrics give it, with what maps share computed once."""

import numpy as np
import pytest

from tests.evaluation.networks import map_store
from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation import prediction
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.faithfulness import (
    Amounts,
    Curve,
    Subsets,
    fidelity_of,
)
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.storage import PartStore
from tf_superpixel_saliency.superpixels import SquareGrid

COLOUR = (120.0, 110.0, 100.0)
VARIANTS = [
    Curve("deletion", "deletion", COLOUR),
    Curve("scaled", "deletion", "black", rank="scaled", ties="raster"),
    Curve("cells", "insertion", "blur", ties="map", unit=4),
    Subsets("mu", COLOUR),
    Subsets("signed", "black", grid=6, importance="signed", correlation="spearman"),
]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fidelity")
    maps = map_store(folder / "maps", count=5, chunk_size=3, seeds=(0,))
    which = [
        parts.Partition(parts.PIXEL, None),
        parts.superpixel_partition(SquareGrid(n_segments=36)),
    ]
    amounts = Amounts(pixels_per_step=100, num_seeds=2, num_subsets=30, batch_size=16)
    methods = gradient_methods(["SimpleGradient"])
    found = fidelity_of(
        PartStore(folder / "parts"),
        maps,
        maps.networks[0],
        methods,
        which,
        VARIANTS,
        amounts,
    )
    return maps, which, found


def test_equals_the_metrics(measured):
    maps, which, found = measured
    predict = prediction.probabilities(maps.networks[0].model)
    (method,) = gradient_methods(["SimpleGradient"])
    pixel = np.concatenate(
        [maps.maps(maps.networks[0], method, chunk) for chunk in maps.chunks]
    )
    segments = which[1].segments(maps.images)
    own = grouped_maps(pixel, segments)
    common = {"pixels_per_step": 100, "num_seeds": 2, "batch_size": 16}
    wanted = {
        "deletion": metrics.deletion(
            predict, maps.images, own, maps.targets, fill=COLOUR, **common
        ).areas,
        "scaled": metrics.deletion(
            predict,
            maps.images,
            own,
            maps.targets,
            fill="black",
            rank="scaled",
            ties="raster",
            segments=segments,
            **common,
        ).areas,
        "cells": metrics.insertion(
            predict,
            maps.images,
            own,
            maps.targets,
            ties="map",
            tie_maps=pixel,
            unit=4,
            **common,
        ).areas,
        "mu": metrics.mu_fidelity(
            predict, maps.images, own, maps.targets, fill=COLOUR, num_subsets=30
        ).pearson,
        "signed": metrics.mu_fidelity(
            predict,
            maps.images,
            own,
            maps.targets,
            fill="black",
            grid=6,
            importance="signed",
            num_subsets=30,
        ).spearman,
    }
    for name, values in wanted.items():
        found_here = found.of("SimpleGradient", parts.SUPERPIXEL, name)
        np.testing.assert_allclose(found_here, values, atol=1e-5, err_msg=name)


def test_mean_curves_have_the_mean_areas(measured):
    _, which, found = measured
    assert set(found.curves) == {"deletion", "scaled", "cells"}
    assert (found.fractions[0], found.fractions[-1]) == (0, 1)
    for name, curves in found.curves.items():
        assert curves.shape == (1, len(which), len(found.fractions))
        heights = (curves[..., 1:] + curves[..., :-1]) / 2
        areas = (heights * np.diff(found.fractions)).sum(axis=-1)
        position = found.variants.index(name)
        wanted = found.values[:, :, position].mean(-1)
        np.testing.assert_allclose(areas, wanted, rtol=1e-9)


def test_curves_of_several_chunks_are_means_over_their_images(measured):
    maps, _, found = measured
    predict = prediction.probabilities(maps.networks[0].model)
    (method,) = gradient_methods(["SimpleGradient"])
    pixel = [maps.maps(maps.networks[0], method, chunk) for chunk in maps.chunks]
    wanted = metrics.deletion(
        predict,
        maps.images,
        np.concatenate(pixel),
        maps.targets,
        fill=COLOUR,
        pixels_per_step=100,
        num_seeds=2,
    ).curves.mean(0)
    np.testing.assert_allclose(found.curves["deletion"][0, 0], wanted, atol=1e-5)


def test_counts_groups(measured):
    _, _, found = measured
    assert found.groups.tolist() == [[576] * 5, [36] * 5]
