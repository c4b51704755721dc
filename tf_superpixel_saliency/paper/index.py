"""A page that lists the results in a folder."""

from __future__ import annotations

from tf_superpixel_saliency.evaluation.storage import whole_file
from tf_superpixel_saliency.paper.experiment import Experiment, Setting

_HEAD = """\
# What came out

The paper's tables and figures, made again by `superpixel-saliency reproduce`. Each
table says below it what it was made of, by which command, when and with which versions;
the same table is there as `.csv` and as `.json`. Where fewer images were used than the
paper's, the intervals say how far that carries: the same command with a larger
`--num-images` adds to what is there.

**[The paper's claims in short](claims-in-short.md)**, and
**[one by one](claims.md)**: our figure, its interval, its level of chance, and whether
it holds.

| of the paper | here | further |
|---|---|---|
"""
_FOOT = """
Data and networks, called what they are: the photos were probably seen in training by
all three EfficientNet-Lites, which also share their training data, so that agreement
on them is between architectures and says nothing of other data. Disjoint data is told
by the networks trained on labelled images alone.
"""


def write_index(setting: Setting, experiments: dict[str, Experiment]) -> None:
    """Write README.md: a line for each result whose table is in the output folder."""
    rows, missing = [], []
    for name, experiment in experiments.items():
        if name in ("claims", "index"):
            continue
        if not (setting.output / f"{name}.md").exists():
            missing.append(f"`{name}`")
            continue
        links = [f"[{name}]({name}.md)"]
        if (setting.output / f"{name}.png").exists():
            links.append(f"[figure]({name}.png)")
        further = [
            f"[{ending}]({name}-{ending}.md)"
            for ending in ("differences", "measures")
            if (setting.output / f"{name}-{ending}.md").exists()
        ]
        rows.append(
            f"| {experiment.shows} | {', '.join(links)} | {', '.join(further) or '–'} |"
        )
    text = _HEAD + "\n".join(rows) + "\n"
    if missing:
        text += f"\nNot run here: {', '.join(missing)}.\n"
    with whole_file(setting.output / "README.md") as path:
        path.write_text(text + _FOOT, encoding="utf-8")
