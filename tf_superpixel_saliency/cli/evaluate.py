"""`superpixel-saliency evaluate`: one's own model, methods × partitions."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from tf_superpixel_saliency.cli import evaluation_files, models, photos, results
from tf_superpixel_saliency.cli.errors import CommandError, model_error
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation import study as studies
from tf_superpixel_saliency.evaluation import tables
from tf_superpixel_saliency.evaluation.maps import MapStore, Network
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.recommendation import recommend
from tf_superpixel_saliency.evaluation.storage import PARTS, PartStore, whole_file
from tf_superpixel_saliency.superpixels import naming
from tf_superpixel_saliency.version import __version__

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


def run(arguments) -> int:
    """Write the table, the recommendation, curves and pictures; 1 if photos failed."""
    loaded = _models(arguments)
    methods, partitions, candidates = _plan(arguments, loaded[0])
    with results.own_folder(arguments.output) as folder:
        try:
            names, images, failed = _photos(arguments, loaded[0], folder)
            store = PartStore(
                folder / PARTS,
                _settings(arguments, loaded, names, images, methods, partitions),
            )
            maps = MapStore(
                store.sub("maps"),
                images,
                _networks(arguments, loaded),
                chunk_size=_CHUNK,
            )
            progress = _progress(arguments.quiet)
            found = studies.study(
                store,
                maps,
                methods,
                partitions,
                _pixels_per_step(arguments, loaded[0]),
                20,
                progress,
            )
            advice = recommend(found, candidates)
            table = studies.table(found)
            evaluation_files.write(folder, arguments, table, advice, loaded)
            evaluation_files.draw_tradeoff(
                folder, table.rows, found, images[0, ..., 0].size
            )
            evaluation_files.draw_curves(folder, found.fidelity)
            evaluation_files.draw_maps(
                folder, maps, methods, partitions, arguments.value_range
            )
        except (TypeError, ValueError) as error:
            raise CommandError(str(error)) from None
        except (tf.errors.OpError, MemoryError) as error:
            raise CommandError(f"the model fails: {model_error(error)}.") from None
        except OSError as error:
            raise CommandError(
                f"can't write to --output {arguments.output!r}: {error}. What is "
                "finished stays: the same command goes on from here."
            ) from None
    print(tables.markdown(table))
    for one in advice:
        print(one.text)
    _report(folder, names, failed, store.counts)
    return 1 if failed else 0


def _report(folder, names, failed, counts):
    print(f"Tables, curves and pictures in {photos.shown(folder)}")
    print(
        f"{len(names)} photos evaluated, {len(failed)} failed; {counts['made']} parts "
        f"made, {counts['found']} skipped (finished before)"
    )
    for file, reason in failed.items():
        print(f"failed: {photos.shown(file)}: {reason}", file=sys.stderr)


def _settings(arguments, loaded, names, images, methods, partitions):
    """What every part depends on: others are never mixed with these."""
    return {
        "models": [one.digest for one in loaded],
        "photos": names,
        "methods": [[m.name, m.settings] for m in methods],
        "partitions": [p.name for p in partitions],
        "pixels_per_step": _pixels_per_step(arguments, loaded[0]),
        "seed": arguments.seed,
        "images": hashlib.sha256(images).hexdigest(),
        "score": arguments.score,
        "model_output": arguments.model_output,
        "version": __version__,
    }


def _pixels_per_step(arguments, loaded):
    """As many steps for small images as for large ones, unless told otherwise."""
    return arguments.pixels_per_step or -(-(loaded.size**2) // 56)


def _networks(arguments, loaded):
    return [
        Network(
            f"model {letter}",
            one.model,
            arguments.seed + number,
            model_output=arguments.model_output,
        )
        for number, (letter, one) in enumerate(zip("AB", loaded))
    ]


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


def _photos(arguments, loaded, folder):
    """The photos in a fixed random order: names, images in range, and what failed.

    The images are a file that is read where it is needed: memory stays flat.
    """
    files, failed = photos.find_photos(arguments.paths)
    order = np.random.default_rng(arguments.seed).permutation(len(files))
    files = [files[number] for number in order[: arguments.num_images]]
    names = []
    (folder / PARTS).mkdir(exist_ok=True)
    path = folder / PARTS / "images.npy"
    with whole_file(path) as partial:
        shape = (len(files), loaded.size, loaded.size, loaded.channels)
        images = np.lib.format.open_memmap(partial, "w+", np.float32, shape)
        for file in tqdm(files, unit="photo", disable=arguments.quiet):
            try:
                photo = photos.read_in_range(file, loaded, arguments)
            except ValueError as error:
                failed[file] = str(error)
                continue
            images[len(names)] = photo
            names.append(file.name)
        images.flush()
        del images
    if len(names) < 4:
        raise CommandError(
            f"evaluate needs at least 4 photos that can be read, but found "
            f"{len(names)}. Some 50 give usable intervals."
        )
    return names, np.load(path, mmap_mode="r")[: len(names)], failed


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
