"""§5: are noise and grouping orthogonal and complementary?"""

from __future__ import annotations

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import COSINE, SSIM
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import groups_note
from tf_superpixel_saliency.paper.photo_pair import pair_note, photo_agreement
from tf_superpixel_saliency.superpixels import Quickshift

NUM_PHOTOS = 48


def run(setting: Setting) -> None:
    """§5: noise and grouping as a 2×2, with their interaction."""
    _, images = setting.photos(NUM_PHOTOS)
    which = parts.with_controls(Quickshift(), ())
    methods = setting.methods(["SimpleGradient", "SmoothGrad"])
    found, both = photo_agreement(setting, "orthogonality", images, methods, which)
    rows = []
    for measure, field in ((SSIM, "observed"), (SSIM, "excess"), (COSINE, "observed")):
        cells = {
            (method, partition): found.of(method, partition, measure, field)[both]
            for method in found.methods
            for partition in found.partitions
        }
        plain, noise = found.methods
        pixel, grouped = found.partitions
        together = cells[noise, grouped] - cells[plain, pixel]
        apart = cells[noise, pixel] + cells[plain, grouped] - 2 * cells[plain, pixel]
        rows.append(
            {
                "measure": f"{measure}, {field}",
                "neither": bootstrap_interval(cells[plain, pixel]),
                "noise": bootstrap_interval(cells[noise, pixel]),
                "grouping": bootstrap_interval(cells[plain, grouped]),
                "both": bootstrap_interval(cells[noise, grouped]),
                "interaction": bootstrap_interval(together - apart),
            }
        )
    counts = dict(zip(found.partitions, found.groups))
    notes = (
        "Noise: SmoothGrad against SimpleGradient. Grouping: Quickshift against "
        "pixels. Interaction: what both give beyond the sum of their single gains; "
        "above 0 they are complementary, below 0 they replace each other.",
        f"{pair_note(setting, images, both)} {groups_note(counts)}",
    )
    title = "Noise and grouping: orthogonal and complementary?"
    setting.write_table(Table("orthogonality", title, rows, notes))
