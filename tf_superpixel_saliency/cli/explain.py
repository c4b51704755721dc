"""`superpixel-saliency explain`: photos → pictures, arrays and a summary."""

from __future__ import annotations

import errno
import hashlib
import pathlib
import sys
import warnings
from collections import Counter

import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from tf_superpixel_saliency import demo
from tf_superpixel_saliency.cli import models, photos, results
from tf_superpixel_saliency.cli.errors import CommandError, model_error
from tf_superpixel_saliency.cli.explanation import Explanation
from tf_superpixel_saliency.cli.summary import Summary, photo_identity

# Whatever the photo, the next one won't be written either.
_NOTHING_MORE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT)


def run(arguments) -> int:
    """Explain the photos; returns 0, or 1 where any of them failed."""
    files, missing = photos.find_photos(arguments.paths)
    loaded = models.load_model(arguments)
    names, names_digest = class_names(arguments.class_names, loaded.imagenet)
    explanation = Explanation(loaded, arguments, class_names=names_digest)
    with results.own_folder(arguments.output) as folder:
        work = _Run(arguments, loaded, explanation, names, folder, missing)
        asked = len(files) + len(missing)
        try:
            work.explain(files)
        except BaseException:
            if work.done:
                work.report(asked)
            raise
        work.report(asked)
    return 1 if work.failed or work.stopped else 0


def class_names(path, imagenet):
    """Index → name: from a file, ImageNet's, or the number itself.

    Returns:
        The function, and the SHA-256 of the file, or None.

    Raises:
        CommandError: the file can't be read.
    """
    if path is None:
        return demo.class_name if imagenet else lambda index: f"class {index}", None
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"can't read --class-names {path!r}: {error}.") from None
    lines, digest = text.splitlines(), hashlib.sha256(text.encode()).hexdigest()

    def name(index):
        return lines[index] if index < len(lines) else f"class {index}"

    return name, digest


class _Stop(Exception):
    """Nothing more can be written."""


class _Run:
    """One run over many photos, and what became of each."""

    def __init__(self, arguments, loaded, explanation, names, folder, missing):
        self.arguments = arguments
        self.loaded = loaded
        self.explanation = explanation
        self.names = names
        self.folder = folder
        self.failed = dict(missing)
        self.done = self.skipped = 0
        self.notes: Counter = Counter()
        self.stopped = ""

    def explain(self, files):
        """Explain what isn't finished."""
        size = self.arguments.batch_size
        try:
            self.summary = Summary(self.folder)
            named = list(self._unfinished(files))
            with tqdm(
                total=len(files),
                initial=self.skipped,
                unit="photo",
                disable=self.arguments.quiet,
            ) as bar:
                for start in range(0, len(named), size):
                    batch = self._read(named[start : start + size])
                    if batch:
                        self._explain(batch)
                    bar.update(min(size, len(named) - start))
            self.summary.close()
        except (_Stop, OSError) as error:
            self.stopped = str(error)

    def _unfinished(self, files):
        names = photos.result_names(files, self.summary.names)
        digest = self.explanation.made_by["settings_sha256"]
        for file, name in zip(files, names):
            if self.summary.has(file, digest):
                self.skipped += 1
            else:
                yield file, name

    def _read(self, named):
        """The readable ones of some files: [(file, name, photo)]."""
        batch = []
        for file, name in named:
            try:
                photo = photos.read_in_range(file, self.loaded, self.arguments)
            except ValueError as error:
                self._fail(file, str(error))
                continue
            batch.append((file, name, photo))
        return batch

    def _explain(self, batch):
        images = np.stack([photo for _, _, photo in batch])
        try:
            with warnings.catch_warnings():
                # Said for each photo in its line of the summary, and at the end.
                warnings.filterwarnings("ignore", message=".*See the output `status`.*")
                out = self.explanation(images, self.arguments.target)
        except (TypeError, ValueError) as error:
            raise CommandError(str(error)) from None
        except (tf.errors.OpError, MemoryError) as error:
            if len(batch) == 1:
                self._fail(batch[0][0], f"the model fails on it: {model_error(error)}")
                return
            for one in batch:  # its neighbours may be fine, or fewer fit into memory
                self._explain([one])
            return
        for row, (file, name, photo) in enumerate(batch):
            self._write(
                file, name, photo, {key: value[row] for key, value in out.items()}
            )

    def _write(self, file, name, photo, one):
        try:
            self.summary.take_back(file)
            line = results.write(
                self.folder, name, file, photo, one, self.explanation, self.names,
                self.arguments,
            )  # fmt: skip
            self.summary.add({**line, "photo": photo_identity(file)})
        except OSError as error:
            if error.errno in _NOTHING_MORE:
                raise _Stop(str(error)) from None
            self._fail(file, f"its results can't be written: {error}")
            return
        self.done += 1
        self.notes[line["status"]] += 1

    def _fail(self, file, reason):
        self.failed[file] = reason
        tqdm.write(f"{photos.shown(file)}: {reason}", file=sys.stderr)

    def report(self, asked):
        """Say how many were explained, skipped and failed, and why."""
        print(
            f"{self.done} of {asked} photos explained, {self.skipped} skipped "
            f"(finished before), {len(self.failed)} failed; "
            f"results in {photos.shown(self.folder)}"
        )
        for status, count in self.notes.items():
            if status != "ok":
                print(f"note: of {count} photos {status}", file=sys.stderr)
        for file, reason in self.failed.items():
            print(f"failed: {photos.shown(file)}: {reason}", file=sys.stderr)
        left = asked - self.done - self.skipped - len(self.failed)
        if self.stopped:
            print(
                f"stopped: nothing more can be written: {self.stopped}", file=sys.stderr
            )
        if left:
            print(
                f"{left} photos were not reached. The same command goes on from here.",
                file=sys.stderr,
            )
