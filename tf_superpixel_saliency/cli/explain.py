"""`superpixel-saliency explain`: photos → pictures, arrays and a summary."""

from __future__ import annotations

import pathlib
import sys
import warnings

import numpy as np
from tqdm.auto import tqdm

from tf_superpixel_saliency import demo
from tf_superpixel_saliency.cli import models, photos, results
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.cli.explanation import Explanation


def run(arguments) -> int:
    """Explain the photos; returns 0, or 1 where any of them failed."""
    files, failed = photos.find_photos(arguments.paths)
    asked = len(files) + len(failed)
    loaded = models.load_model(arguments)
    explanation = Explanation(loaded, arguments)
    names = class_names(arguments.class_names, loaded.imagenet)
    folder = results.output_folder(arguments.output)
    named = list(zip(files, photos.result_names(files)))
    with tqdm(total=len(files), unit="photo", disable=arguments.quiet) as bar:
        for start in range(0, len(named), arguments.batch_size):
            batch = _read(
                named[start : start + arguments.batch_size], loaded, arguments, failed
            )
            if batch:
                _explain(batch, explanation, names, folder, arguments, failed)
            bar.update(min(arguments.batch_size, len(files) - start))
    return _report(asked, failed, folder)


def class_names(path, imagenet):
    """Index → name: from a file, ImageNet's, or the number itself.

    Raises:
        CommandError: the file can't be read.
    """
    if path is None:
        return demo.class_name if imagenet else lambda index: f"class {index}"
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"can't read --class-names {path!r}: {error}.") from None
    return lambda index: lines[index] if index < len(lines) else f"class {index}"


def _read(named, loaded, arguments, failed):
    """The readable ones of some files: [(file, name, photo)]; others go to `failed`."""
    batch = []
    for file, name in named:
        try:
            photo = photos.read_in_range(file, loaded, arguments)
        except ValueError as error:
            failed[file] = str(error)
            tqdm.write(f"{file}: {error}", file=sys.stderr)
            continue
        batch.append((file, name, photo))
    return batch


def _explain(batch, explanation, names, folder, arguments, failed):
    images = np.stack([photo for _, _, photo in batch])
    try:
        with warnings.catch_warnings():
            # Said for each photo in its line of the summary.
            warnings.filterwarnings("ignore", message=".*See the output `status`.*")
            out = explanation(images, arguments.target)
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from None
    for row, (file, name, photo) in enumerate(batch):
        one = {key: value[row] for key, value in out.items()}
        try:
            results.write(folder, name, file, photo, one, explanation, names, arguments)
        except OSError as error:
            failed[file] = f"its results can't be written: {error}"
            tqdm.write(f"{file}: {failed[file]}", file=sys.stderr)


def _report(asked, failed, folder):
    done = asked - len(failed)
    print(f"{done} of {asked} photos explained, results in {folder}")
    for file, reason in failed.items():
        print(f"failed: {file}: {reason}", file=sys.stderr)
    return 1 if failed else 0
