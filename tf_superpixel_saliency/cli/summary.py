"""summary.jsonl, a line a photo: what is finished, whenever a run was killed."""

from __future__ import annotations

import json
import os
import pathlib

from tf_superpixel_saliency.cli.provenance import file_digest
from tf_superpixel_saliency.evaluation.storage import whole_file

FILE = "summary.jsonl"


class Summary:
    """The lines of a folder's summary.jsonl, each written whole or not at all.

    A photo's line is written after its files, so that a line tells of whole files. A
    line whose files are gone is dropped, and so is the part of one that a stopped
    machine may leave. Before results are replaced, a line `"replaced": true` takes
    back the one that tells of them; `close` leaves one line a photo.

    Args:
        folder: of the results; nothing else writes to it.

    Raises:
        OSError: it can't be read or written.
    """

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / FILE
        self._known: dict[str, dict] = {}
        self.close()

    @property
    def names(self) -> dict[str, str]:
        """File → name of its results, of those that have some."""
        return {file: known["name"] for file, known in self._known.items()}

    def has(self, file, settings_digest: str) -> bool:
        """Whether a photo was explained with these settings, as it is now.

        Args:
            file: the photo's path.
            settings_digest: the `settings_sha256` of `provenance.made_by`.
        """
        known = self._known.get(str(file))
        if known is None or known["settings"] != settings_digest:
            return False
        try:
            status = os.stat(file)
            photo = known["photo"]
            if status.st_size != photo["bytes"]:
                return False
            # Copied or touched, a photo is still the same one.
            return (
                status.st_mtime_ns == photo["modified_ns"]
                or file_digest(file) == photo["sha256"]
            )
        except OSError:
            return False

    def take_back(self, file) -> None:
        """Say that a photo's results, if it has any, are about to be replaced."""
        if self._known.pop(str(file), None) is not None:
            self._append({"file": str(file), "replaced": True})

    def add(self, line: dict) -> None:
        """Append a photo's line.

        Raises:
            OSError: it can't be written; the file is as it was.
        """
        self._append(line)
        self._known[line["file"]] = _kept(line)

    def _append(self, line):
        data = _as_json(line)
        with open(self.path, "ab", buffering=0) as target:
            whole = target.seek(0, os.SEEK_END)
            try:
                if target.write(data) != len(data):
                    raise OSError(None, "the disk took a part of a line", self.path)
                os.fsync(target.fileno())
            except BaseException:
                target.truncate(whole)
                raise

    def close(self) -> None:
        """Write the file anew, one line a photo, those whose files are there."""
        lines, self._known = self._read()
        with whole_file(self.path) as partial:
            partial.write_bytes(b"".join(lines.values()))

    def _read(self):
        lines: dict[str, bytes] = {}
        known: dict[str, dict] = {}
        there = set(os.listdir(self.path.parent))
        if self.path.name not in there:
            return lines, known
        with open(self.path, "rb") as source:
            for data in source:
                line = _from_json(data)
                if line is None:
                    continue
                file = line["file"]
                lines.pop(file, None)
                known.pop(file, None)
                if line.get("replaced"):
                    continue
                if {line.get("picture"), line.get("arrays")} <= there:
                    lines[file] = data
                    known[file] = _kept(line)
        return lines, known


def photo_identity(path) -> dict:
    """By which a photo is known again: size, time of change and SHA-256."""
    status = os.stat(path)
    return {
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "sha256": file_digest(path),
    }


def _kept(line):
    """What is needed of a line: of a hundred thousand, not the lines themselves."""
    return {
        "name": str(line["arrays"]).removesuffix(".npz"),
        "settings": line.get("made_by", {}).get("settings_sha256"),
        "photo": line.get("photo"),
    }


def _from_json(data):
    """A line, or None for what is no whole line of this command."""
    try:
        line = json.loads(data)
        usable = data.endswith(b"\n") and isinstance(line["file"], str)
    except (ValueError, LookupError, TypeError):
        return None
    return line if usable else None


def _as_json(line):
    text = json.dumps(line, ensure_ascii=False, allow_nan=False)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # a file name that is no text to the operating system
        return f"{json.dumps(line, allow_nan=False)}\n".encode()
