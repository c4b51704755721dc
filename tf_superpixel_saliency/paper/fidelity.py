"""Table 1: Deletion, Insertion and μFidelity of pixels, super-pixels and controls."""

from __future__ import annotations

import itertools

import numpy as np

from tf_superpixel_saliency.evaluation import faithfulness
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.faithfulness import Amounts, Curve, Subsets
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import intervals
from tf_superpixel_saliency.paper.differences import compare
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import groups_note, networks_note
from tf_superpixel_saliency.superpixels import Quickshift

NUM_PHOTOS, NUM_FACTORIAL = 200, 8
# The mean colour of ImageNet's training photos, in 0…255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
DELETION = "Deletion, dataset mean ↓"
DELETION_BLACK = "Deletion, black ↓"
INSERTION = "Insertion, blur ↑"
INSERTION_BLANK = "Insertion, blank ↑"
MU = "μFidelity 9×9 ↑"


def variants():
    """The rows of the table: the first four are curves."""
    return [
        Curve(DELETION, "deletion", IMAGENET_MEAN),
        Curve(DELETION_BLACK, "deletion", "black"),
        Curve(INSERTION, "insertion", "blur"),
        Curve(INSERTION_BLANK, "insertion", "black"),
        Subsets(MU, IMAGENET_MEAN),
        Subsets("μFidelity 9×9, signed ↑", IMAGENET_MEAN, importance="signed"),
        Subsets("μFidelity 9×9, Spearman ↑", IMAGENET_MEAN, correlation="spearman"),
        Subsets("μFidelity 56×56 ↑", IMAGENET_MEAN, grid=56),
    ]


def partitions():
    """Pixels, Quickshift at the default, and squares and random groups like it."""
    return parts.with_controls(Quickshift(), (parts.SQUARE, parts.RANDOM), 1)


def run(setting: Setting) -> None:
    """Four methods × four partitions."""
    _, images = setting.photos(NUM_PHOTOS)
    found = measure(setting, "table-1", images, setting.methods(), variants())
    title = "Fidelity of pixels, super-pixels, squares and random groups, in per cent"
    notes = (
        f"{len(images)} photos at 224×224, the predicted class; "
        f"{setting.pixels_per_step} pixels a step; ranked by Σ_c |mean|; the blank is "
        "black. An image has one random order inside ties and one random partition, "
        "whose spread is in the intervals. Means over images with 95 % bootstrap "
        "intervals. Photos probably seen in training.",
        _made_of(setting, found),
    )
    rows = []
    for method in found.methods:
        for partition in found.partitions:
            row = {"method": method, "partition": partition}
            row["groups"] = int(np.median(found.groups[_at(found, partition)]))
            for variant in found.variants:
                values = 100 * found.of(method, partition, variant)
                row[variant] = intervals.bootstrap_interval(values)
            rows.append(row)
    setting.write_table(Table("table-1", title, rows, notes))
    setting.write_table(_differences(found, notes))


def measure(setting, name, images, methods, rows, which=None, num_seeds=1):
    """Fidelity to EfficientNet-Lite0 of maps that other experiments share."""
    networks = setting.photo_networks
    maps = setting.maps("photos", images, networks)
    which = which or partitions()
    curves = any(isinstance(row, Curve) for row in rows)
    store = setting.store(
        f"{name}-fidelity",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        # μFidelity has no steps of pixels.
        pixels_per_step=setting.pixels_per_step if curves else None,
        num_seeds=num_seeds,
        partitions=[partition.name for partition in which],
        variants=[list(map(str, variant)) for variant in rows],
    )
    amounts = Amounts(setting.pixels_per_step, num_seeds, seed=setting.seed)
    return faithfulness.fidelity_of(
        store, maps, networks[0], methods, which, rows, amounts, setting.progress
    )


def _made_of(setting, found):
    networks = networks_note(setting.photo_networks[:1])
    return f"{networks} {groups_note(dict(zip(found.partitions, found.groups)))}"


def _at(found, partition):
    return found.partitions.index(partition)


def _differences(found, notes):
    """Super-pixels less each other partition, with p-values after Holm."""
    rows = []
    others = sorted(set(found.partitions) - {parts.SUPERPIXEL})
    for variant, other in itertools.product(sorted(found.variants), others):
        family = {
            method: [
                100 * found.of(method, p, variant) for p in (parts.SUPERPIXEL, other)
            ]
            for method in found.methods
        }
        for method, one in compare(family).items():
            above = one.difference.mean > 0
            better = not above if "↓" in variant else above
            rows.append(
                {
                    "measure": variant,
                    "method": method,
                    "super-pixel less": other,
                    **one.columns(),
                    "super-pixel is": _word(better, one.p_value),
                }
            )
    return Table("table-1-differences", "Super-pixels against others", rows, notes)


def _word(better, p_value):
    if not p_value < 0.05:
        return "not different"
    return "better" if better else "worse"


def run_factorial(setting: Setting) -> None:
    """How far Deletion and Insertion depend on choices the paper leaves open."""
    _, images = setting.photos(NUM_FACTORIAL)
    rows = []
    for kind, (fill_name, fill), rank, ties, unit in itertools.product(
        ("deletion", "insertion"),
        (("black", "black"), ("dataset mean", IMAGENET_MEAN), ("blur", "blur")),
        ("signed", "absolute", "scaled"),
        ("random", "raster", "map"),
        (1, 8),
    ):
        name = f"{kind}|{fill_name}|{rank}|{ties}|{unit}"
        rows.append(Curve(name, kind, fill, rank, ties, unit))
    methods = setting.methods(["SimpleGradient"])
    found = measure(setting, "table-1-factorial", images, methods, rows)
    table = []
    for variant in found.variants:
        names = ("measure", "fill", "rank", "order in ties", "unit")
        row = dict(zip(names, variant.split("|")))
        for partition in found.partitions:
            values = 100 * found.of("SimpleGradient", partition, variant)
            row[partition] = float(values.mean())
        table.append(row)
    title = "Deletion and Insertion of SimpleGradient under every choice, in per cent"
    notes = (
        f"Means over {len(images)} photos, {setting.pixels_per_step} pixels a step. "
        "scaled: √|S|·Σ_c |mean|; map: by the ungrouped gradient; unit: side in pixels "
        "of the cells that are ranked.",
        _made_of(setting, found),
    )
    setting.write_table(Table("table-1-factorial", title, table, notes))
