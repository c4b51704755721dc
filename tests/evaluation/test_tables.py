"""Tables as Markdown, CSV and JSON."""

import csv
import io
import json

import numpy as np

from tf_superpixel_saliency.evaluation import tables
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import Interval

ROWS = [
    {"name": "a|b", "n": 3, "x": Interval(0.5, 0.25, 0.75, 4), "y": 0.123456789},
    {"name": "c", "n": 1200, "x": Interval(np.nan, np.nan, np.nan, 0), "y": np.nan},
]
TABLE = Table("t", "A title", ROWS, ("A note.",))


def test_markdown():
    lines = tables.markdown(TABLE).splitlines()
    assert lines[:6] == [
        "## A title",
        "",
        "| name | n | x | y |",
        "|---|--:|--:|--:|",
        "| a\\|b | 3 | 0.500 [0.250, 0.750] | 0.123 |",
        "| c | 1200 | – | – |",
    ]
    assert "A note." in lines


def test_markdown_escapes_bars_and_shows_single_values():
    rows = [{"|S|": Interval(0.5, np.nan, np.nan, 1)}]
    lines = tables.markdown(Table("t", "T", rows)).splitlines()
    assert lines[2:5] == ["| \\|S\\| |", "|--:|", "| 0.500 |"]


def test_csv_spreads_intervals_over_columns():
    rows = list(csv.DictReader(io.StringIO(tables.csv_text(TABLE))))
    assert rows[0] == {
        "name": "a|b",
        "n": "3",
        "x": "0.5",
        "x low": "0.25",
        "x high": "0.75",
        "y": "0.123457",
    }
    assert rows[1]["x"] == rows[1]["y"] == ""


def test_files_say_what_made_them(tmp_path):
    made_by = tables.provenance("superpixel-saliency reproduce t")
    paths = tables.write(TABLE, tmp_path / "new", made_by)
    assert sorted(path.name for path in paths) == ["t.csv", "t.json", "t.md"]
    found = json.loads((tmp_path / "new" / "t.json").read_text("utf-8"))
    assert found["made_by"]["command"] == "superpixel-saliency reproduce t"
    assert found["made_by"]["versions"]["tensorflow"]
    assert found["rows"][1]["y"] is None
    text = (tmp_path / "new" / "t.md").read_text("utf-8")
    assert "    superpixel-saliency reproduce t" in text and "tensorflow" in text
