"""Equations as MathML, which browsers set by themselves: no script, no network.

Their font, STIX Two Math, comes with the package ziamath and is put on the site.
"""

import importlib.resources
import pathlib

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

FONT = "STIXTwoMath-Regular.ttf"


def inline(self, node):
    self.body.append(convert(node.astext()))
    raise SkipNode


def block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(convert(node.astext(), display="block"))
    self.body.append("</div>\n")
    raise SkipNode


def write_font(app, error):
    if error is None and app.builder.format == "html":
        font = importlib.resources.files("ziamath") / "fonts" / FONT
        place = pathlib.Path(app.outdir) / "_static" / FONT
        place.write_bytes(font.read_bytes())


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
