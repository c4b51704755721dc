"""Where and when something was measured, and how it gets into a page."""

import os
import platform
import re
import time
from importlib import metadata


def provenance(*packages):
    """Date, processor, cores and versions, as a line of text."""
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{package} missing")
    when = time.strftime("%d %B %Y").lstrip("0")
    return f"{when}, {processor()}, {os.cpu_count()} cores, {', '.join(versions)}"


def processor():
    """The processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"model name\s*:\s*(.+)", file.read())
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.machine()


def write_between_markers(path, name, text):
    """Put text between <!-- name:begin --> and <!-- name:end --> of a file.

    Raises:
        ValueError: the file does not have both, in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    page = path.read_text(encoding="utf-8")
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"{path} must hold {begin} and then {end}, but doesn't.")
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
