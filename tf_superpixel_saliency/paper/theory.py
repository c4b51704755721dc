"""§3: Propositions 1 to 3, Definitions 2 and 3, and the independence they presume."""

from __future__ import annotations

import functools

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.generalization_error import generalization_error
from tf_superpixel_saliency.metrics.independence import independence
from tf_superpixel_saliency.metrics.intervals import Interval, bootstrap_interval
from tf_superpixel_saliency.metrics.theory import (
    interpretation_loss,
    interpretation_loss_gap,
)
from tf_superpixel_saliency.paper.experiment import SMALL_CHUNK, Setting
from tf_superpixel_saliency.paper.notes import count_groups, groups_note, networks_note
from tf_superpixel_saliency.paper.pairs import pairs
from tf_superpixel_saliency.superpixels import SLIC

NUM_PHOTOS, NUM_TEST_IMAGES, NUM_LOSS_IMAGES = 48, 300, 500
_CONTROLS = (parts.SQUARE, parts.RANDOM)


def run_propositions(setting: Setting) -> None:
    """Propositions 1 and 2 on pairs of networks, and what remains at norm 1."""
    rows = []
    used = list(pairs(setting, NUM_PHOTOS, NUM_TEST_IMAGES))
    for pair in used:
        for method in setting.methods(["SimpleGradient", "SmoothGrad"]):
            a, b = (pair.maps.all_maps(network, method) for network in pair.networks)
            at_norm_1 = bootstrap_interval(interpretation_loss(a, b, True))
            for name, drawn in parts.by_name(_with_controls(pair.layer)).items():
                found = [_propositions(a, b, pair.segments(one)) for one in drawn]
                holds, error, ratio, normed = map(np.array, zip(*found))
                rows.append(
                    {
                        "data": pair.data,
                        "method": method.name,
                        "partition": name,
                        "images": len(a),
                        "Proposition 1 holds": float(holds.mean()),
                        "largest error of Proposition 2": f"{error.max():.1e}",
                        "loss, groups / pixels": bootstrap_interval(ratio.mean(0)),
                        "loss at norm 1, pixels": at_norm_1,
                        "loss at norm 1, groups": bootstrap_interval(normed.mean(0)),
                    }
                )
    notes = (
        "The network at hand and its reference are two networks. Propositions 1 and 2 "
        "are identities of averaging: they hold for any partition, also a random one. "
        "The error of Proposition 2 is relative to the gap. Loss at norm 1: of maps "
        "divided by their own L2 norm. `random`: means over five draws of the groups.",
        *_notes(used, _with_controls),
    )
    title = "Propositions 1 and 2 on pairs of networks"
    setting.write_table(Table("propositions", title, rows, notes))


def _propositions(a, b, segments):
    """Whether 1 holds, the error of 2, the loss over pixels', and that at norm 1."""
    found = interpretation_loss_gap(a, b, segments)
    scale = np.maximum(np.abs(found.gap), found.loss**2 * 1e-3)
    error = np.abs(found.gap - found.variance) / scale
    grouped = (grouped_maps(maps, segments) for maps in (a, b))
    normed = interpretation_loss(*grouped, True)
    return found.bound_holds, error, found.grouped_loss / found.loss, normed


def run_independence(setting: Setting) -> None:
    """§3.3: is the noise of two networks' gradients independent inside a group?"""
    (method,) = setting.methods(["SimpleGradient"])
    rows, curves = [], {}
    used = list(pairs(setting, NUM_PHOTOS, NUM_TEST_IMAGES))
    for pair in used:
        a, b = (pair.maps.all_maps(network, method) for network in pair.networks)
        for partition in _with_controls(pair.layer, num_seeds=1):
            found = independence(a, b, pair.segments(partition))
            sizes = found.sizes[:-1]
            for i, size in enumerate(sizes):
                if found.num_groups[i]:
                    rows.append(
                        {
                            "data": pair.data,
                            "partition": partition.name,
                            "pixels a group": f"{size}–{found.sizes[i + 1] - 1}",
                            "groups": int(found.num_groups[i]),
                            "|S|·mean²/mean of squares": _interval(found, i),
                            "correlation": float(found.correlation[i]),
                        }
                    )
            known = (found.num_groups > 30) & ~np.isnan(found.ratio)
            curves.setdefault(pair.data, {})[partition.name] = (
                sizes[known],
                found.ratio[known],
            )
    notes = (
        "n = ∇f_A − ∇f_B inside each (super-pixel, channel) group. 1: independent, so "
        "that the mean cancels noise as 1/√|S|; |S|: the same in all of the group. "
        "Means over images with 95 % bootstrap intervals.",
        *_notes(used, _with_controls),
    )
    title = "Independence of the noise inside groups, by size of group"
    setting.write_table(Table("independence", title, rows, notes))
    figure, axes = plots.study_figure(len(curves), 1)
    for ax, (data, lines) in zip(axes[0], curves.items()):
        label = "|S|·mean(n)² / mean(n²)"
        plots.plot_curves(lines, ax, xlabel="pixels a group", ylabel=label, title=data)
        ax.set_xscale("log", base=2)
    setting.write_figure("independence", figure)


def run_generalization(setting: Setting) -> None:
    """Definition 2, with networks of the other half of the data as f*."""
    trained = setting.trained
    halves = {n: s for n, s in trained.train_indices.items() if n.startswith("split")}
    images, _ = setting.test_images(NUM_LOSS_IMAGES)
    partitions = parts.with_controls(SLIC(n_segments=100), _CONTROLS)
    (method,) = setting.methods(["SimpleGradient"])
    losses: dict = {}
    for number, (name, seen) in enumerate(setting.progress(halves.items(), "losses")):
        references = [o for o, s in halves.items() if not np.intersect1d(s, seen).size]
        if len(references) < 2:
            continue
        rng = np.random.default_rng([setting.seed, number])
        # The same ones first, so that a larger run adds to a smaller one.
        chosen = rng.permutation(seen)[: len(images)]
        own = setting.data.train_images[chosen].astype(np.float32)
        for kind, shown in (("test", images), ("train", own)):
            network = setting.network(name, number)
            others = [setting.network(other) for other in references]
            key = f"definition-2-{name}-{kind}"
            maps = setting.maps(key, shown, [network, *others], chunk_size=SMALL_CHUNK)
            a = maps.all_maps(network, method)
            b = [maps.all_maps(other, method) for other in others]
            for partition, drawn in parts.by_name(partitions).items():
                segments = [one.segments_of(shown, maps.chunks) for one in drawn]
                for normed in (False, True):
                    loss = np.mean([_loss(a, b, one, normed) for one in segments], 0)
                    found = losses.setdefault((partition, normed), {})
                    found.setdefault(kind, []).append(loss)
    rows = [
        _generalization_row(partition, normed, found)
        for (partition, normed), found in losses.items()
    ]
    notes = (
        f"{len(images)} test images, and as many that each network was trained on; the "
        "reference f* is the mean gradient of the networks that saw neither. Intervals "
        "over networks. At norm 1: maps divided by their own L2 norm. `random`: means "
        "over five draws of the groups. A bound that falls (Corollary 1) does not say "
        "that the error does.",
        f"{networks_note(setting.network(name) for name in halves)} "
        f"{groups_note(count_groups(partitions, images))}",
    )
    title = "Definition 2: the interpretation's generalisation error on CIFAR-10"
    setting.write_table(Table("definition-2", title, rows, notes))


def _loss(a, others, segments, normed):
    group = functools.partial(grouped_maps, segments=segments)
    return interpretation_loss(group(a), [group(one) for one in others], normed)


def _generalization_row(partition, normed, found):
    error = generalization_error(found["test"], found["train"])
    losses = np.concatenate(found["test"])
    relative = error.error / float(np.nanmean(losses))
    return {
        "maps": "at norm 1" if normed else "as they are",
        "partition": partition,
        "networks": len(error.gaps),
        "error": Interval(error.error, error.low, error.high, len(error.gaps)),
        "gap with its sign": float(error.gap),
        "mean test loss": float(np.nanmean(losses)),
        "error / test loss": relative,
    }


def _notes(used, partitions):
    """A note a kind of data: its images, networks and numbers of groups."""
    counts = [count_groups(partitions(pair.layer), pair.images) for pair in used]
    return [f"{pair.note()} {groups_note(found)}" for pair, found in zip(used, counts)]


def _with_controls(layer, num_seeds=5):
    return parts.with_controls(layer, _CONTROLS, num_seeds)[1:]  # but for pixels


def _interval(found, i):
    return Interval(float(found.ratio[i]), float(found.low[i]), float(found.high[i]), 0)
