"""`superpixel-saliency evaluate`: one's own model, methods × partitions."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
from tqdm.auto import tqdm

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.cli import models, photos, results
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.cli.provenance import typed_command
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation import study as studies
from tf_superpixel_saliency.evaluation import tables
from tf_superpixel_saliency.evaluation.agreement import COSINE, grouped_maps
from tf_superpixel_saliency.evaluation.maps import MapStore, Network
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.recommendation import recommend
from tf_superpixel_saliency.evaluation.storage import PartStore, whole_file
from tf_superpixel_saliency.superpixels import naming

SUPERPIXELS = (
    "Quickshift",
    "Quickshift:max_dist=5",
    "Quickshift:max_dist=8",
    "Quickshift:kernel_size=3,max_dist=6",
    "SLIC:n_segments=500",
    "SLIC:n_segments=1500",
)
SMALL_SUPERPIXELS = (
    "SLIC:n_segments=50",
    "SLIC:n_segments=100",
    "SLIC:n_segments=200",
    "Quickshift",
)
_CHUNK = 8
_PICTURES = 4


def run(arguments) -> int:
    """Write the table, the recommendation, curves and pictures; 1 if photos failed."""
    loaded = _models(arguments)
    folder = results.made_folder(arguments.output)
    names, images, failed = _photos(arguments, loaded[0])
    methods, partitions, candidates = _plan(arguments, loaded[0])
    settings = {
        "models": arguments.model,
        "photos": names,
        "methods": [[m.name, m.settings] for m in methods],
        "partitions": [p.name for p in partitions],
        "pixels_per_step": arguments.pixels_per_step,
        "seed": arguments.seed,
        "images": hashlib.sha256(images).hexdigest(),
        "score": arguments.score,
        "model_output": arguments.model_output,
    }
    try:
        store = PartStore(folder / "parts", settings)
        networks = [
            Network(
                f"model {letter}",
                one.model,
                arguments.seed + number,
                model_output=arguments.model_output,
            )
            for number, (letter, one) in enumerate(zip("AB", loaded))
        ]
        maps = MapStore(store.sub("maps"), images, networks, chunk_size=_CHUNK)
        progress = _progress(arguments.quiet)
        found = studies.study(
            store, maps, methods, partitions, arguments.pixels_per_step, 20, progress
        )
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from None
    advice = recommend(found, candidates)
    table = studies.table(found)
    _write(folder, arguments, table, advice)
    _draw_tradeoff(folder, table.rows, found, images[0, ..., 0].size)
    _draw_maps(folder, maps, methods, partitions, arguments.value_range)
    print(tables.markdown(table))
    for one in advice:
        print(one.text)
    print(f"Tables, curves and pictures in {folder}")
    for file, reason in failed.items():
        print(f"failed: {file}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _models(arguments):
    arguments.model = arguments.model or ["demo"]
    if len(arguments.model) > 2:
        raise CommandError(
            f"evaluate takes one --model or two, but got {len(arguments.model)}."
        )
    loaded = [models.load_named(name, arguments) for name in arguments.model]
    sizes = {(one.size, one.channels) for one in loaded}
    if len(sizes) > 1:
        raise CommandError(
            f"the two models take images of other sizes: {sorted(sizes)}. Give --size "
            "if they take any, or two models of one size."
        )
    return loaded


def _photos(arguments, loaded):
    """The photos in a fixed random order: names, images in range, and what failed."""
    files, failed = photos.find_photos(arguments.paths)
    order = np.random.default_rng(arguments.seed).permutation(len(files))
    files = [files[number] for number in order[: arguments.num_images]]
    names, images = [], []
    for file in tqdm(files, unit="photo", disable=arguments.quiet):
        try:
            photo = photos.read_in_range(file, loaded, arguments)
        except ValueError as error:
            failed[file] = str(error)
            continue
        names.append(file.name)
        images.append(photo)
    if len(images) < 4:
        raise CommandError(
            f"evaluate needs at least 4 photos that can be read, but found "
            f"{len(images)}. Some 50 give usable intervals."
        )
    return names, np.stack(images), failed


def _plan(arguments, loaded):
    """Methods, partitions, and the names of those that may be recommended."""
    value_range = tuple(arguments.value_range)
    try:
        methods = gradient_methods(
            arguments.methods,
            arguments.num_samples,
            arguments.noise_level,
            arguments.num_steps,
            score=arguments.score,
        )
        for method in methods:  # wrong settings are refused before any work is done
            method.explainer(loaded.model, model_output=arguments.model_output)
        usual = SUPERPIXELS if loaded.size >= 128 else SMALL_SUPERPIXELS
        layers = {
            text: naming.from_text(text, value_range=value_range)
            for text in arguments.superpixels or usual
        }
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from None
    own = [parts.superpixel_partition(layer, text) for text, layer in layers.items()]
    first = next(iter(layers.values()))
    controls = parts.controls(first, (parts.SQUARE, parts.RANDOM), num_seeds=1)
    partitions = [parts.Partition(parts.PIXEL, None), *own, *controls]
    return methods, partitions, [parts.PIXEL, *layers]


def _progress(quiet):
    return lambda items, text: tqdm(list(items), desc=text, unit="part", disable=quiet)


def _write(folder, arguments, table, advice):
    made_by = tables.provenance(typed_command(arguments))
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


def _draw_tradeoff(folder, rows, found, pixels):
    stable = COSINE if found.agreement is not None else studies.SAMPLING
    points = {}
    for method in found.methods:
        here = [row for row in rows if row["method"] == method]
        points[method] = (
            [row[stable].mean for row in here],
            [row[studies.MU].mean for row in here],
            [pixels / row["groups"] for row in here],
        )
    figure, axes = plots.study_figure(1, 1)
    plots.plot_tradeoff(points, axes[0, 0], xlabel=stable, ylabel=studies.MU)
    with whole_file(folder / "tradeoff.png") as path:
        figure.savefig(path, format="png")


def _draw_maps(folder, maps, methods, partitions, value_range):
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
