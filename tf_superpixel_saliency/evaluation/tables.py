"""Tables of results: Markdown to read, CSV to compute with, JSON with everything."""

from __future__ import annotations

import csv
import datetime
import importlib.metadata
import io
import json
import math
import pathlib
import platform
from typing import NamedTuple

from tf_superpixel_saliency.evaluation.storage import whole_file
from tf_superpixel_saliency.metrics.intervals import Interval

_PACKAGES = ("tensorflow", "keras", "scikit-image", "numpy", "scipy")


class Table(NamedTuple):
    """Rows with what one needs to know to read them.

    Attributes:
        name: of its files, without ending.
        title: one line.
        rows: dictionaries with the same keys in the same order; values are text,
            numbers, None or an `Interval`.
        notes: sentences below the table.
    """

    name: str
    title: str
    rows: list
    notes: tuple = ()


def provenance(command: str | None = None) -> dict:
    """What made a result: command, date and versions."""
    from tf_superpixel_saliency.version import __version__

    versions = {"tf-superpixel-saliency": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    versions["python"] = platform.python_version()
    today = datetime.date.today().isoformat()
    return {"command": command, "date": today, "versions": versions}


def markdown(table: Table, made_by: dict | None = None) -> str:
    """A table as Markdown, with its title, notes and what made it."""
    keys = list(table.rows[0]) if table.rows else []
    lines = [f"## {table.title}", ""]
    if keys:
        lines.append("| " + " | ".join(as_text(key) for key in keys) + " |")
        numeric = [_is_numeric(table.rows, key) for key in keys]
        lines.append("|" + "|".join("--:" if n else "---" for n in numeric) + "|")
        for row in table.rows:
            lines.append("| " + " | ".join(as_text(row[key]) for key in keys) + " |")
        lines.append("")
    for note in table.notes:
        lines += [note, ""]
    if made_by:
        lines += [described(made_by), ""]
    return "\n".join(lines)


def described(made_by: dict) -> str:
    """One paragraph: the command, the date and the versions."""
    versions = ", ".join(f"{key} {value}" for key, value in made_by["versions"].items())
    text = f"Made on {made_by['date']} with {versions}."
    return f"{text}\n\n    {made_by['command']}" if made_by.get("command") else text


def as_text(value, digits: int = 3) -> str:
    """A value as a table shows it: `0.431 [0.402, 0.460]` for an interval."""
    if value is None or value == "":
        return "–"
    if isinstance(value, Interval):
        if math.isnan(value.mean):
            return "–"
        if math.isnan(value.low):  # of fewer than two values
            return f"{value.mean:.{digits}f}"
        return (
            f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"
        )
    if isinstance(value, bool) or isinstance(value, str):
        return str(value).replace("|", "\\|")
    if isinstance(value, int) or float(value).is_integer():
        return str(int(value))
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def write(table: Table, folder, made_by: dict | None = None) -> list[pathlib.Path]:
    """Write NAME.md, NAME.csv and NAME.json, each whole or not at all."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "md": markdown(table, made_by),
        "csv": csv_text(table),
        "json": json.dumps(
            {
                "title": table.title,
                "rows": [_flat(row) for row in table.rows],
                "notes": list(table.notes),
                "made_by": made_by,
            },
            indent=1,
            ensure_ascii=False,
        ),
    }
    paths = []
    for ending, text in contents.items():
        path = folder / f"{table.name}.{ending}"
        with whole_file(path) as partial:
            partial.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def csv_text(table: Table) -> str:
    """A table as CSV: an interval makes the columns NAME, NAME low and NAME high."""
    rows = [_flat(row) for row in table.rows]
    target = io.StringIO()
    keys = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(target, keys, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()


def _flat(row):
    flat = {}
    for key, value in row.items():
        if isinstance(value, Interval):
            flat[key] = _short(value.mean)
            flat[f"{key} low"] = _short(value.low)
            flat[f"{key} high"] = _short(value.high)
        else:
            flat[key] = _short(value)
    return flat


def _short(value):
    """Six significant digits: more would only be noise in a file under version."""
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.6g}")
    return value


def _is_numeric(rows, key):
    return all(not isinstance(row[key], str) for row in rows if row[key] is not None)
