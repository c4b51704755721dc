"""Methods × partitions of one network and of two, and what is recommended."""

import numpy as np
import pytest

from tests.evaluation.networks import map_store
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation import recommendation, tables
from tf_superpixel_saliency.evaluation.agreement import COSINE, Agreement
from tf_superpixel_saliency.evaluation.faithfulness import Fidelity
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.storage import PartStore
from tf_superpixel_saliency.evaluation.study import MU, SAMPLING, Study, study, table
from tf_superpixel_saliency.metrics import l2_distance
from tf_superpixel_saliency.superpixels import SquareGrid


def planted(cosine, mu, sampling=None, count=20):
    """A study of the partitions pixel, small and large with given means."""
    names = ("pixel", "small", "large")
    rng = np.random.default_rng(0)

    def spread(means):
        noise = 0.001 * rng.standard_normal(count)
        return np.array(means, float)[:, None] + noise

    faithful = Fidelity(
        ("SmoothGrad",), names, (MU,), spread(mu)[None, :, None], np.ones((3, count))
    )
    agreed = None
    if cosine is not None:
        values = np.zeros((1, 3, count, 1, 5))
        values[0, :, :, 0, 2] = spread(cosine)
        groups = np.ones((3, count))
        agreed = Agreement(("SmoothGrad",), names, (COSINE,), values, groups)
    errors = np.zeros((1, 3, count))
    if sampling is not None:
        errors[0] = spread(sampling)
    every = np.ones(count, bool)
    return Study(("SmoothGrad",), names, agreed, faithful, errors, every)


@pytest.mark.parametrize(
    ("cosine", "mu", "best"),
    [
        ((0.1, 0.3, 0.5), (0.3, 0.3, 0.3), "large"),
        ((0.1, 0.3, 0.5), (0.3, 0.29, 0.2), "small"),  # large loses ten points
        ((0.5, 0.3, 0.1), (0.3, 0.4, 0.5), "pixel"),
        ((0.1, 0.3, 0.5), (0.3, 0.2, 0.2), "pixel"),
    ],
)
def test_two_networks_choose_by_excess_within_the_margin(cosine, mu, best):
    (found,) = recommendation.recommend(planted(cosine, mu))
    assert found.partition == best
    names = ("pixel", "small", "large")
    gain = cosine[names.index(best)] - cosine[0]
    assert found.value.mean == pytest.approx(cosine[names.index(best)], abs=0.002)
    assert found.gain.mean == pytest.approx(gain, abs=0.002)
    assert found.value.n == 10  # the half that it was not chosen on
    assert "another training" not in found.text


def test_a_gain_that_may_be_none_is_called_so():
    found = planted((0.1, 0.3, 0.5), (0.3, 0.3, 0.3))
    (sure,) = recommendation.recommend(found)
    assert "tell from 0" not in sure.text
    # Above pixels where it is chosen, by turns above and below where it is told.
    signs = np.where(np.arange(20) % 4 == 1, -1, 1)
    values = found.agreement.values[0, :, :, 0, 2]
    values[1], values[2] = 0, values[0] + 0.1 * signs
    (unsure,) = recommendation.recommend(found)
    assert unsure.partition == "large"
    assert "which these images don't tell from 0" in unsure.text


@pytest.mark.parametrize(
    ("mu", "sampling", "best", "criterion"),
    [
        ((0.30, 0.29, 0.10), (0.5, 0.2, 0.1), "small", "sampling error"),
        ((0.10, 0.30, 0.20), None, "small", "μFidelity"),
    ],
)
def test_one_network_chooses_by_fidelity_and_sampling_and_says_so(
    mu, sampling, best, criterion
):
    (found,) = recommendation.recommend(planted(None, mu, sampling))
    assert (found.partition, found.criterion) == (best, criterion)
    assert "say nothing about another training" in found.text


def test_half_of_the_images_choose_and_the_other_half_report():
    found = planted((0.1, 0.3, 0.5), (0.3, 0.3, 0.3))
    # On the reporting half the large groups are the worst: it is not asked.
    found.agreement.values[0, 2, 1::2, 0, 2] = -0.5
    (told,) = recommendation.recommend(found)
    assert told.partition == "large"
    assert told.value.mean == pytest.approx(-0.5)
    assert told.gain.high < 0


def test_only_candidates_are_recommended():
    found = planted((0.1, 0.3, 0.5), (0.3, 0.3, 0.3))
    (told,) = recommendation.recommend(found, ["pixel", "small"])
    assert told.partition == "small"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    which = [
        parts.Partition(parts.PIXEL, None),
        parts.superpixel_partition(SquareGrid(n_segments=36), "squares"),
    ]
    methods = gradient_methods(["SimpleGradient", "SmoothGrad"], num_samples=3)
    made = {}
    for kind, seeds in (("one", (0,)), ("two", (0, 1))):
        maps = map_store(folder / f"{kind}-maps", seeds=seeds)
        store = PartStore(folder / kind)
        made[kind] = maps, study(store, maps, methods, which, 100, num_seeds=2)
    return methods, which, made


@pytest.mark.thorough
def test_sampling_errors_are_those_of_two_draws(measured):
    methods, _, made = measured
    maps, found = made["one"]
    assert (found.sampling[0] == 0).all()  # SimpleGradient draws nothing
    one, two = (
        np.concatenate(
            [maps.maps(maps.networks[0], methods[1], c, seed) for c in maps.chunks]
        )
        for seed in (0, 1_000_003)
    )
    zero = np.zeros_like(one)
    size = (l2_distance(one, zero) + l2_distance(two, zero)) / 2
    wanted = l2_distance(one, two) / np.sqrt(2) / size
    np.testing.assert_allclose(found.sampling[1, 0], wanted, rtol=1e-5)
    assert (found.sampling[1, 1] < found.sampling[1, 0]).all()  # the mean cancels noise


def test_tables_have_agreement_only_with_two_networks(measured):
    _, _, made = measured
    one, two = (table(found) for _, found in made.values())
    assert len(one.rows) == len(two.rows) == 4
    assert COSINE not in one.rows[0] and f"{COSINE}: excess" in two.rows[0]
    assert any("stability can't be told" in note for note in one.notes)
    assert one.rows[0][SAMPLING].mean == 0
    assert "| method |" in tables.markdown(two)
