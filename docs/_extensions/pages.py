"""Pages that are written by others than people, or for the code host as well."""

import re

CHILDREN = "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def read(app, name, source):
    """Give the index of results its tables, and notebooks their place on the site."""
    if name == "results/README":
        source[0] += CHILDREN
    # On the code host notebooks lie beside docs/, on the site below it.
    depth = name.count("/")
    for outside in re.findall(r"\]\(((?:\.\./)+notebooks/\w+\.ipynb)\)", source[0]):
        source[0] = source[0].replace(outside, "../" * depth + outside.lstrip("./"))


def setup(app):
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
