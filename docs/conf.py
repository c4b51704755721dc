"""How the documentation site is built: sphinx-build -W docs site

Needs the package and its extra `docs`. Nothing on the site comes from elsewhere:
equations are MathML, made here, and so it works without a network.
"""

import os
import pathlib
import shutil
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_extensions"))

# Sphinx reads below this folder alone. The copies are left out of the repository.
shutil.copytree(
    HERE.parent / "notebooks",
    HERE / "notebooks",
    ignore=lambda folder, names: [n for n in names if not n.endswith(".ipynb")],
    dirs_exist_ok=True,
)

project = "tf_superpixel_saliency"
author = "The tf_superpixel_saliency developers"
html_title = "Stable saliency maps"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "mathml",
    "docstrings",
    "pages",
]
exclude_patterns = ["**/.ipynb_checkpoints", "_extensions"]
templates_path = []

myst_enable_extensions = ["dollarmath", "deflist", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the outputs that are kept are shown
# The tables of results start at the second level, for they are parts of a report; and
# a server's answers hold NaN, which JSON doesn't know.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
default_role = "name"  # `text` in docstrings: code, and a link where there is one
napoleon_numpy_docstring = False
napoleon_custom_sections = [
    ("Call arguments", "params_style"),
    ("Input shape", "returns_style"),
    ("Output shape", "returns_style"),
    ("Attributes", "params_style"),
]
python_maximum_signature_line_length = 80
add_module_names = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "source_repository": (
        "https://github.com/tf-superpixel-saliency/tf_superpixel_saliency/"
    ),
    "source_branch": "main",
    "source_directory": "docs/",
}
html_copy_source = False
html_show_copyright = False
smartquotes = False  # "midpoint" is to be typed as it stands
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"
