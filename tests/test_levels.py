"""The order of the modules, read from their source, and what an import costs."""

import ast
import pathlib
import subprocess
import sys

import pytest

import tf_superpixel_saliency

PACKAGE = "tf_superpixel_saliency"
ROOT = pathlib.Path(tf_superpixel_saliency.__file__).parent
LEVELS = {
    "version": 0,
    "requirements": 0,
    "image_files": 0,
    "ops": 0,
    "superpixels": 1,
    "layers": 1,
    "metrics": 1,
    "plots": 1,
    "explainers": 2,
    "mapping": 2,
    "demo": 3,
    "evaluation": 3,
    "consensus": 4,
    "serving": 3,
    "callbacks": 5,
    "explanations": 4,
    "distributed": 4,
    "paper": 4,
    "cli": 5,
    "__main__": 6,
}
FILES = sorted(ROOT.rglob("*.py"))
IDS = [str(path.relative_to(ROOT)) for path in FILES]
# Imported inside functions alone: drawing and reading are not everybody's.
LAZY = {"matplotlib", "skimage", "scipy", "PIL", "pandas", "ray", "pyarrow"}


def part_of(path):
    """The module or folder right below the package that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(tree):
    """(node, dotted name) of everything imported, names of `from` spelt out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node, name.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            for name in node.names:
                yield node, f"{node.module}.{name.name}"


def at_import_time(tree):
    """The nodes that run when the module is imported: not inside functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from at_import_time(node)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_go_downwards(path):
    part = part_of(path)
    if part == "__init__":
        return  # the package's own front, above all but the command
    assert part in LEVELS, f"{part} has no level: give it one here"
    for node, name in imports(ast.parse(path.read_text())):
        names = name.split(".")
        if names[0] != PACKAGE:
            continue
        where = f"{path}:{node.lineno} imports {name}"
        if names[1] not in LEVELS:  # a public name, through the package's front
            assert LEVELS[part] >= 4, f"{where}: name the module it lives in"
            continue
        assert names[1] == part or LEVELS[names[1]] < LEVELS[part], where


GATEWAY = ROOT / "ops" / "gradients.py"


def takes_gradients(node):
    if isinstance(node, ast.Attribute) and node.attr == "gradients":
        return getattr(node.value, "id", None) == "tf"
    name = getattr(node, "attr", getattr(node, "id", None))
    return name in ("GradientTape", "ForwardAccumulator")


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_one_gateway_for_gradients(path):
    found = any(takes_gradients(node) for node in ast.walk(ast.parse(path.read_text())))
    assert found == (path == GATEWAY)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_heavy_modules_are_imported_where_they_are_used(path):
    for node in at_import_time(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        for name in names:
            assert name.split(".")[0] not in LAZY, f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_catch_all_modules(path):
    assert path.stem not in ("utils", "helpers", "common", "misc", "types")


def test_importing_the_package_adds_nothing_heavy():
    # Keras itself imports matplotlib where it finds it.
    code = (
        "import sys, keras, tensorflow\n"
        "before = set(sys.modules)\n"
        "import tf_superpixel_saliency\n"
        "print(sorted({n.split('.')[0] for n in set(sys.modules) - before}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT.parent,
    )
    added = set(ast.literal_eval(result.stdout.strip().splitlines()[-1]))
    assert PACKAGE in added
    assert not added & LAZY
