"""The page of promises names tests that there are."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]


def test_every_promise_has_its_test():
    page = (ROOT / "docs" / "promises.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    files = (ROOT / "tests").rglob("test_*.py")
    found = {
        name
        for file in files
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.M)
    }
    assert len(named) > 40 and not named - found
    rows = re.findall(r"^\| [^|]+\. \| (.+) \|$", page, re.M)
    assert len(rows) >= 30 and all("test_" in row or row == "the same" for row in rows)
    for path in re.findall(r"`(tests/[\w/]+(?:\.py)?)/?`", page):
        assert (ROOT / path).exists(), path
