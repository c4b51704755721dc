"""The package's docstrings and signatures, as Sphinx needs them."""

import inspect
import re

from docutils import nodes
from sphinx.domains.python import PyXRefRole
from sphinx.ext.napoleon.docstring import GoogleDocstring

NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")
EXAMPLE = re.compile(r"(?m)^ *>>>(?:.*\n)+?(?: *$)")
CODE = re.compile(r"(`[^`]*`)(\w?)|\|")


def name_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    """`text` is a link where it names something of this package, and code anyway."""
    if not NAME.fullmatch(text):
        return [nodes.literal(rawtext, text)], []
    # A leading dot looks the name up wherever it is defined: good for classes, whose
    # names are told apart, and wrong for the names of arguments.
    target = f".{text}" if text[0].isupper() and "." not in text else text
    target = re.sub(r"^tss\.", "tf_superpixel_saliency.", target)
    explicit = f"{text} <{target}>"
    role = PyXRefRole()
    return role("py:obj", rawtext, explicit, lineno, inliner, options or {}, content)


def to_restructured_text(app, what, name, obj, options, lines):
    """|x| is an absolute value here, and `name`s a plural; neither is in reST."""
    text, start = "\n".join(lines) + "\n", 0
    parts = []
    for example in EXAMPLE.finditer(text):
        parts += [CODE.sub(escaped, text[start : example.start()]), example[0]]
        start = example.end()
    parts.append(CODE.sub(escaped, text[start:]))
    lines[:] = "".join(parts).split("\n")


def escaped(found):
    code, next_letter = found[1], found[2]
    if code is None:
        return r"\|"
    return rf"{code}\ {next_letter}" if next_letter else code


def untyped_returns(self, preprocess_types=False):
    """All of a section is text: what stands before a colon is a shape, not a type."""
    lines = self._dedent(self._consume_to_next_section())
    return [("", "", lines)] if lines else []


def signature_of_init(app, what, name, obj, options, signature, annotation):
    """Keras gives its classes a `__new__` that takes anything."""
    if what != "class" or "__init__" not in vars(obj):
        return None
    parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in parameters]
    return str(inspect.Signature(plain)), annotation


def setup(app):
    GoogleDocstring._consume_returns_section = untyped_returns
    app.add_role("name", name_role)
    app.connect("autodoc-process-docstring", to_restructured_text, priority=400)
    app.connect("autodoc-process-signature", signature_of_init)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
