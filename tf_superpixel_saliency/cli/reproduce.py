"""`superpixel-saliency reproduce` and `train-networks`: the paper's results again."""

from __future__ import annotations

import functools
import sys

import numpy as np
from tqdm.auto import tqdm

from tf_superpixel_saliency.cli import photos, results
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.cli.provenance import typed_command
from tf_superpixel_saliency.paper.cifar10 import load_images
from tf_superpixel_saliency.paper.experiment import MissingData, Photos, Setting
from tf_superpixel_saliency.paper.registry import EXPERIMENTS
from tf_superpixel_saliency.paper.training import train_networks

SIZE = 224


def run(arguments) -> int:
    """Make the results that are named; 0, or 1 where any failed."""
    setting = _setting(arguments)
    names = arguments.results
    everything = "all" in names
    if everything:
        names = list(EXPERIMENTS)
    failed = {}
    for name in names:
        try:
            EXPERIMENTS[name].run(setting)
            page = "README" if name == "index" else name
            print(f"{name}: {setting.output / page}.md")
        except MissingData as error:
            if not everything:
                raise CommandError(f"{name} {error}") from None
            print(f"{name}: left out, since it {error}")
        except (FileNotFoundError, ValueError, TypeError, ImportError) as error:
            if not everything:
                raise CommandError(f"{name}: {error}") from None
            failed[name] = str(error)
    for name, reason in failed.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _setting(arguments):
    output = results.made_folder(arguments.output)
    read = None
    if arguments.photos is not None:
        read = _PhotoReader(arguments.photos, arguments.seed, arguments.quiet)
    return Setting(
        output,
        read,
        arguments.data,
        arguments.networks,
        arguments.num_images,
        arguments.num_samples,
        arguments.num_steps,
        arguments.pixels_per_step,
        arguments.seed,
        typed_command(arguments),
        arguments.quiet,
    )


class _PhotoReader:
    """A folder's photos in a fixed random order, so that fewer are the first ones."""

    def __init__(self, folder, seed, quiet):
        files, _ = photos.find_photos([folder])
        order = np.random.default_rng(seed).permutation(len(files))
        self.files = [files[number] for number in order]
        self.quiet = quiet
        self.read = functools.lru_cache(maxsize=None)(self._read)

    def _read(self, number):
        return photos.read_photo(self.files[number], SIZE)

    def __call__(self, count) -> Photos:
        count = min(count, len(self.files))
        numbers = tqdm(range(count), desc="photos", unit="photo", disable=self.quiet)
        try:
            images = np.stack([self.read(number) for number in numbers])
        except ValueError as error:
            raise CommandError(
                f"a photo can't be read: {error}. Take it out of the folder."
            ) from None
        return Photos(tuple(file.name for file in self.files[:count]), images)


def train(arguments) -> int:
    """Train the networks that the experiments compare."""
    try:
        data = load_images(arguments.data)
        train_networks(
            data,
            arguments.output,
            arguments.names or None,
            arguments.width,
            arguments.epochs,
            arguments.limit,
            arguments.num_repeats,
            arguments.seed,
            report=lambda line: None if arguments.quiet else print(line, flush=True),
        )
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"can't write to {arguments.output!r}: {error}.") from None
    print(f"networks and log.jsonl in {arguments.output}")
    return 0
