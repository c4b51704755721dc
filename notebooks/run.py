"""Run the notebooks again and keep their outputs: python notebooks/run.py [NAME …]

Needs the package and its extra `notebook`. `--set num_samples=5` replaces a value of
the cell tagged `parameters`; such a run, as one with `--output`, leaves the files here
as they are. A notebook that fails is not written.
"""

import argparse
import ast
import base64
import io
import os
import pathlib
import re
import sys
import tempfile

import nbclient
import nbformat
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
QUALITY = 82  # of JPEG
_LOGGED = re.compile(r"[IWE]\d{4} |WARNING: All log messages before absl|$")


def execute(path, settings=None, timeout=1800):
    """A notebook, run from start to end in an empty folder.

    Args:
        path: the .ipynb file.
        settings: {name: value}, set after the cell tagged `parameters`.
        timeout: seconds that a cell may take.

    Returns:
        The notebook with its outputs.

    Raises:
        ValueError: a setting that the cell doesn't name.
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    injected = _injected(notebook, settings) if settings else None
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
            coalesce_streams=True,
        )
        # TensorFlow's messages of its start are not the notebook's.
        client.execute(env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if injected is not None:
        notebook.cells.remove(injected)
    return notebook


def _injected(notebook, settings):
    (place,) = (
        number
        for number, cell in enumerate(notebook.cells)
        if "parameters" in cell.metadata.get("tags", [])
    )
    named = {
        target.id
        for node in ast.parse(notebook.cells[place].source).body
        for target in getattr(node, "targets", [])
    }
    if not set(settings) <= named:
        raise ValueError(
            f"The notebook's parameters are {sorted(named)}, but got "
            f"{sorted(set(settings) - named)}."
        )
    lines = [f"{name} = {value!r}" for name, value in settings.items()]
    cell = nbformat.v4.new_code_cell("\n".join(lines))
    notebook.cells.insert(place + 1, cell)
    return cell


def tidy(notebook):
    """Only what a reader sees: no times, no versions, small pictures."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                data.update(_small(data.pop("image/png")))
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if not _is_start(one)]
    return notebook


def _small(png):
    """A photo or a noisy map as JPEG, a drawing as PNG: whichever is smaller."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    files = {"image/png": io.BytesIO(), "image/jpeg": io.BytesIO()}
    picture.save(files["image/png"], "png", optimize=True)
    picture.save(files["image/jpeg"], "jpeg", quality=QUALITY, optimize=True)
    kind, file = min(files.items(), key=lambda item: len(item[1].getvalue()))
    return {kind: base64.b64encode(file.getvalue()).decode("ascii")}


def _is_start(output):
    """Whether an output is only what TensorFlow logs when it starts."""
    lines = output.get("text", "").splitlines()
    return output.get("name") == "stderr" and all(map(_LOGGED.match, lines))


def _setting(text):
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, but got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        raise argparse.ArgumentTypeError(
            f"expected a number, text in quotes or a tuple after {name}=, but got "
            f"{value!r}"
        ) from None


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help="all unless given")
    parser.add_argument("--set", action="append", type=_setting, default=[])
    parser.add_argument("--output", type=pathlib.Path, help="folder to write to")
    given = parser.parse_args(arguments)
    paths = [HERE / f"{pathlib.Path(name).stem}.ipynb" for name in given.names]
    missing = [path.stem for path in paths if not path.exists()]
    if missing:
        known = sorted(path.stem for path in HERE.glob("*.ipynb"))
        parser.error(f"no notebook {missing}; there are {known}")
    for path in paths or sorted(HERE.glob("*.ipynb")):
        print(path.stem, flush=True)
        notebook = tidy(execute(path, dict(given.set)))
        if given.set and not given.output:
            continue
        folder = given.output or HERE
        folder.mkdir(parents=True, exist_ok=True)
        written = folder / f".{path.name}.part"
        nbformat.write(notebook, written)
        written.replace(folder / path.name)


if __name__ == "__main__":
    sys.exit(main())
