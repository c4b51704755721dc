"""What `evaluate` writes in the end: tables, the recommendation, pictures."""

from __future__ import annotations

import json

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.cli.provenance import typed_command
from tf_superpixel_saliency.evaluation import study as studies
from tf_superpixel_saliency.evaluation import tables
from tf_superpixel_saliency.evaluation.agreement import COSINE, grouped_maps
from tf_superpixel_saliency.evaluation.storage import whole_file

_PICTURES = 4


def write(folder, arguments, table, advice, loaded) -> None:
    """The table, and `recommendation.json`."""
    made_by = tables.provenance(typed_command(arguments))
    made_by["model_sha256"] = [one.digest for one in loaded]
    made_by["seed"] = arguments.seed
    table = table._replace(notes=(*table.notes, *(one.text for one in advice)))
    tables.write(table, folder, made_by)
    chosen = [
        {
            "method": one.method,
            "partition": one.partition,
            "criterion": one.criterion,
            "value": one.value._asdict(),
            "gain": one.gain._asdict(),
            "fidelity": one.fidelity._asdict(),
            "text": one.text,
        }
        for one in advice
    ]
    with whole_file(folder / "recommendation.json") as path:
        path.write_text(json.dumps(chosen, indent=1, ensure_ascii=False), "utf-8")


def draw_tradeoff(folder, rows, found, pixels) -> None:
    """`tradeoff.png`: stability against fidelity, a point a partition."""
    stable = COSINE if found.agreement is not None else studies.SAMPLING
    points = {}
    for method in found.methods:
        here = [row for row in rows if row["method"] == method]
        points[method] = (
            [row[stable].mean for row in here],
            [row[studies.MU].mean for row in here],
            [pixels / row["groups"] for row in here],
        )
    figure, axes = plots.study_figure(1, 1, 6.4, 4.4)
    plots.plot_tradeoff(
        points, axes[0, 0], xlabel=stable, ylabel=studies.MU, labels=found.partitions
    )
    with whole_file(folder / "tradeoff.png") as path:
        figure.savefig(path, format="png")


def draw_curves(folder, fidelity) -> None:
    """`curves.png`: Deletion and Insertion on the way, a panel a method."""
    figure, axes = plots.study_figure(
        len(fidelity.methods), len(fidelity.curves), 3.6, 3.0
    )
    for line, (name, curves) in zip(axes, fidelity.curves.items()):
        for ax, method, lines in zip(line, fidelity.methods, curves):
            drawn = {
                partition: (fidelity.fractions, values)
                for partition, values in zip(fidelity.partitions, lines)
            }
            verb = "removed" if name == studies.DELETION else "shown"
            plots.plot_curves(
                drawn,
                ax,
                xlabel=f"share of the pixels {verb}",
                ylabel="probability",
                title=f"{method}: {name}",
            )
            legend = ax.get_legend()
            if ax is line[-1]:  # one for all, where it hides no curve
                legend.set_loc("upper left")
                legend.set_bbox_to_anchor((1, 1))
            else:
                legend.remove()
    with whole_file(folder / "curves.png") as path:
        figure.savefig(path, format="png")


def draw_maps(folder, maps, methods, partitions, value_range) -> None:
    """`maps.png`: the first photos under every method and partition."""
    chunk = maps.chunks[0][:_PICTURES]
    pictures = {}
    for method in methods:
        pixel = maps.maps(maps.networks[0], method, maps.chunks[0])[: len(chunk)]
        pictures[method.name] = {
            partition.name: grouped_maps(pixel, partition.segments(maps.images[chunk]))
            for partition in partitions
        }
    figure = plots.new_figure()
    plots.plot_grid(
        maps.images[chunk],
        pictures,
        rows="methods",
        value_range=value_range,
        figure=figure,
    )
    with whole_file(folder / "maps.png") as path:
        figure.savefig(path, format="png")
