"""Components of variance: planted ones found again, and NaN where none can tell."""

import numpy as np
import pytest

from tf_superpixel_saliency.metrics import variance_split

# Variances planted: of the signal's values, of each effect, and of one draw's noise.
SIGNAL, DATA, START, BOTH, NOISE = 4.0, 1.0, 2.0, 0.5, 3.0
VALUES = 20_000


def planted(data, starts, draws=2, seed=0):
    """(K, S, VALUES, 1) of a random-effects model."""
    random = np.random.default_rng(seed)

    def effect(labels, variance):
        drawn = {
            label: np.sqrt(variance) * random.standard_normal(VALUES)
            for label in dict.fromkeys(labels)
        }
        return np.stack([drawn[label] for label in labels])

    maps = np.sqrt(SIGNAL) * random.standard_normal(VALUES)
    maps = maps + effect(data, DATA) + effect(starts, START)
    maps = maps + effect(list(zip(data, starts)), BOTH)
    noise = random.standard_normal((len(data), draws, VALUES))
    return (maps[:, None] + np.sqrt(NOISE) * noise)[..., None]


def test_all_kinds_of_pairs_tell_everything():
    # Four of each label: one draw of an effect alone would be a poor mean.
    data, starts = np.repeat(list("abcd"), 4), np.tile([1, 2, 3, 4], 4)
    found = variance_split(planted(data, starts), data, starts)
    expected = {
        "energy": SIGNAL + DATA + START + BOTH + NOISE,
        "signal": SIGNAL,
        "data": DATA,
        "initialisation": START,
        "interaction": BOTH,
        "noise": NOISE,
    }
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=0.12), name
    assert np.isnan(found.segmentation)


def test_three_networks_solved_by_hand():
    # Values of one group: halves of squared distances 2, 8 and 18 of the pairs
    # (data), (initialisation), (both): 18 = data + initialisation + interaction.
    maps = np.array([0.0, 2.0, -4.0]).reshape(3, 1, 1, 1)
    found = variance_split(maps, ["x", "y", "x"], [1, 1, 2])
    assert (found.data, found.initialisation, found.interaction) == (10, 16, -8)
    assert found.networks == 18 and found.noise == 0
    assert found.energy == pytest.approx(20 / 3)
    # Without labels all three pairs are of one kind.
    assert variance_split(maps).networks == pytest.approx((2 + 8 + 18) / 3)


@pytest.mark.parametrize(
    "data, starts, told",
    [
        ("xxx", "abc", (False, True)),
        ("xyz", "aaa", (True, False)),
        ("xyz", "abc", (False, False)),
        ("xxyy", "abcd", (True, True)),
        ("xyz", None, (False, False)),
    ],
)
def test_what_a_design_can_not_tell_is_nan(data, starts, told):
    maps = planted(list(data), list(starts or data))
    found = variance_split(maps, list(data), starts and list(starts))
    parts = np.array([found.data, found.initialisation, found.interaction])
    np.testing.assert_array_equal(np.isfinite(parts), [*told, False])
    assert np.isfinite([found.energy, found.signal, found.networks]).all()


def test_two_kinds_of_pairs_leave_the_interaction_out():
    data, starts = np.repeat(list("abcdefgh"), 2), np.arange(16)
    found = variance_split(planted(data, starts), data, starts)
    assert found.initialisation == pytest.approx(START + BOTH, abs=0.1)
    assert found.data == pytest.approx(DATA, abs=0.15)


def test_the_parts_add_up_and_sizes_weigh_as_pixels_do():
    random = np.random.default_rng(2)
    labels = np.repeat(np.arange(5), [1, 2, 3, 4, 30])
    values = random.normal(size=(4, 3, 5, 2))
    found = variance_split(values, sizes=np.bincount(labels))
    in_pixels = variance_split(values[:, :, labels])
    np.testing.assert_allclose(found[:3], in_pixels[:3])
    assert found.noise == pytest.approx(in_pixels.noise)
    # The signal is the mean product of two different networks.
    own = values.mean(axis=1)[:, labels]
    products = [np.mean(own[k] * own[m]) for k in range(4) for m in range(k)]
    assert found.signal == pytest.approx(np.mean(products))
    assert found.energy == pytest.approx(found.signal + found.networks + found.noise)


def test_partitions_in_a_table():
    random = np.random.default_rng(3)
    shape = (20, 30, 20, 1)
    networks = random.normal(0, 1.0, (4, 1, *shape[1:]))
    partitions = random.normal(0, 1.5, (1, 20, *shape[1:]))
    rest = random.normal(0, 0.5, (4, 20, *shape[1:]))
    table = networks + partitions + rest
    found = variance_split(table[:, :1], partitions=table)
    assert found.segmentation == pytest.approx(1.5**2, rel=0.05)
    alone = variance_split(table[:, :1], partitions=networks + rest)
    assert alone.segmentation == pytest.approx(0, abs=0.02)
    assert np.isnan(variance_split(table[:, :1], partitions=table[:, :1]).segmentation)


def test_errors():
    with pytest.raises(ValueError, match="at least two networks"):
        variance_split(np.zeros((1, 1, 3)))
    with pytest.raises(ValueError, match=r"data must have one label .* 2 networks"):
        variance_split(np.zeros((2, 1, 3)), data=["a"], initialisation=[1, 2])
