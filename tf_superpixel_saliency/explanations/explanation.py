"""What `.explain()` returns: an explanation as arrays, picture and files."""

from __future__ import annotations

import io
import os
import pathlib

import numpy as np

from tf_superpixel_saliency.explainers import settings
from tf_superpixel_saliency.explanations import files, regions
from tf_superpixel_saliency.explanations.arrays import KEYS, ImageArrays
from tf_superpixel_saliency.explanations.class_names import (
    checked_names,
    name_of,
    used_names,
)
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.superpixels.base import checked_range
from tf_superpixel_saliency.version import __version__

_MOST_SHOWN = 8  # images in a notebook's picture
_LARGE, _SMALL, _FEW = 2.2, 1.5, 4  # inches of a photo in a grid, of how many


class Explanation(ImageArrays):
    """Explanations of N images.

    It has a length, and is sliced as an array is: `explanation[3]` and
    `explanation[2:5]` are explanations; `explanation["maps"]` is an array, and so is
    `explanation.maps`. Arrays can't be written to.

    Args:
        images: (N, H, W, C), the pictures that were explained.
        outputs: what an explainer returns, as arrays.
        value_range: (low, high) of the images, for pictures; None for the narrowest of
            (0, 1), (−1, 1) and (0, 255) that holds them.
        class_names: a list, a dictionary or a function: index of a class → its name;
            None writes the index.
        explainer: what made the outputs, of which the settings are kept.

    Attributes:
        images: (N, H, W, C) float32.
        maps: (N, H, W, C') float32, signed, grouped, per channel.
        heatmaps: (N, H, W) float32, Σ over channels of |maps|.
        segments: (N, H, W) int32, the group of every pixel, 0…p−1.
        targets: (N,) int32, the class explained.
        scores: (N,) float32, its score.
        status: (N,) int32, 0 or a sum of the flags of `ops.checks`.
        extras: {name: (N,) float32}, what a method returns besides, also attributes:
            `explanation.completeness_error`.
        settings: what made the explanation: method, super-pixels, version.
    """

    def __init__(
        self, images, outputs, value_range=None, class_names=None, explainer=None
    ):
        super().__init__(images, outputs)
        if value_range is None:
            value_range = regions.seen_range(self.images)
        self.value_range = checked_range(value_range, "Explanation")
        self.class_names = checked_names(class_names)
        self.settings = {} if explainer is None else _settings(explainer)

    def __getstate__(self):
        # Of a function's names, those in use: most functions can't be copied.
        names = used_names(self.targets, self.class_names)
        return {**vars(self), "class_names": names}

    # -- for people -----------------------------------------------------------------

    def labels(self) -> list[str]:
        """The class explained in each image, by name where names are known."""
        return [name_of(int(target), self.class_names) for target in self.targets]

    def titles(self) -> list[str]:
        """Class and score of each image, and what is wrong with it, in words."""
        found = []
        for label, score, status in zip(self.labels(), self.scores, self.status):
            text = f"{label}, {score:.3g}" if label else f"{score:.3g}"
            if status:
                text += f" ({checks.describe_status(status)})"
            found.append(text)
        return found

    @property
    def num_groups(self) -> np.ndarray:
        """(N,) the number of groups of each image's partition, `segments`."""
        return self.segments.max(axis=(1, 2), initial=-1) + 1

    def top_groups(self, k: int = 10, min_area=None) -> list[list[dict]]:
        """The k groups of highest mean heat of each image, the highest first.

        Args:
            k: how many groups, at least 1; all where there are fewer.
            min_area: pixels that a group has at least to be ranked; None for a 2500th
                of the image, 20 of 224×224, or 1 where fewer than k are as large: the
                means of slivers scatter most.

        Returns:
            For each image a list of dictionaries in plain Python numbers: `group`, its
            label; `area` in pixels; `mean`, of the heatmap; `share` of the heatmap's
            sum; `centroid` (row, column); `box` (top, left, bottom, right), the last
            two not included.

        Raises:
            ValueError: k or min_area is below 1.
        """
        return [
            regions.described_groups(heatmap, segments, k, min_area)
            for heatmap, segments in zip(self.heatmaps, self.segments)
        ]

    def plot(self, index=None, *, k=10, min_area=None, percentile=99, figure=None):
        """Draw photo, map and highest groups of one image, or several in a grid.

        Args:
            index: which image; None for all, which are drawn as a grid of photos and
                maps where there are several.
            k, min_area: which groups are outlined, as in `top_groups`; none where the
                map is 0 everywhere.
            percentile: in (0, 100], where each map is cut off.
            figure: an empty matplotlib Figure to fill; a new one unless given.

        Returns:
            Array of matplotlib Axes; `axes[0].figure` is the figure of one image's,
            `axes[0, 0].figure` of several.

        Raises:
            IndexError: there is no such image.
            ValueError: there is no image at all, or as `plots.plot_explanation`.
        """
        from tf_superpixel_saliency import plots

        shown = self if index is None else self[index]
        if len(shown) == 0:
            raise ValueError("There is no image to draw: the explanation is empty.")
        photos = [regions.photo(image, self.value_range) for image in shown.images]
        if len(shown) > 1:
            return plots.plot_grid(
                photos,
                {"Map": [np.nan_to_num(one) for one in shown.heatmaps]},
                row_labels=shown.titles(),
                percentile=percentile,
                cell=_LARGE if len(shown) <= _FEW else _SMALL,
                value_range=(0, 1),
                figure=figure,
            )
        heat, segments = np.nan_to_num(shown.heatmaps[0]), shown.segments[0]
        grouped = int(shown.num_groups[0]) < segments.size
        ranked = grouped and heat.max() > 0  # else any group is as high as any other
        if min_area is None:
            min_area = regions.usual_min_area(segments, k)
        return plots.plot_explanation(
            photos[0],
            None if grouped else heat,
            heat if grouped else None,
            segments if ranked else None,
            shown.titles()[0],
            k=k,
            min_area=min_area,
            percentile=percentile,
            value_range=(0, 1),
            figure=figure,
        )

    def plot_overlay(self, index=0, *, percentile=99, figure=None):
        """Draw one image's map over its photo, with class and score above.

        Args:
            index: which image.
            percentile: in (0, 100], where the map is cut off.
            figure: an empty matplotlib Figure to fill; a new one unless given.

        Returns:
            The matplotlib Axes.

        Raises:
            IndexError: there is no such image.
        """
        from tf_superpixel_saliency import plots
        from tf_superpixel_saliency.plots.explanation import titled_panel

        shown = self[index]
        shape, title = shown.segments[0].shape, shown.titles()[0]
        ax = titled_panel(shape, "Map over the photo", title, figure)
        return plots.plot_overlay(
            regions.photo(shown.images[0], self.value_range),
            np.nan_to_num(shown.heatmaps[0]),
            ax,
            percentile,
            value_range=(0, 1),
        )

    def _repr_png_(self):
        if len(self) == 0:
            return None  # the words are shown
        from tf_superpixel_saliency import plots

        figure, target = plots.new_figure(), io.BytesIO()
        self[:_MOST_SHOWN].plot(figure=figure)
        figure.savefig(target, format="png")
        return target.getvalue()

    def __repr__(self):
        method = self.settings.get("method", "an explainer")
        over = self.settings.get("superpixels")
        over = over.get("class") if isinstance(over, dict) else over
        height, width = self.heatmaps.shape[1:]
        lines = [
            f"Explanation of {len(self)} image{'s' * (len(self) != 1)} of {height} × "
            f"{width} pixels by "
            f"{method}" + (f" over {over}" if over else "")
        ]
        shown = min(len(self), _MOST_SHOWN)
        for number, (title, groups) in enumerate(
            zip(self.titles()[:shown], self.num_groups)
        ):
            plural = "" if groups == 1 else "s"
            count = "" if groups == height * width else f", {groups} group{plural}"
            lines.append(f"  {number}: {title}{count}")
        if shown < len(self):
            lines.append(f"  … and {len(self) - shown} more")
        return "\n".join(lines)

    # -- files ----------------------------------------------------------------------

    def save(self, path: str | os.PathLike) -> pathlib.Path:
        """Write arrays and settings as .npz, or the picture as .png.

        Returns:
            The file, which is there whole or not at all.

        Raises:
            ValueError: the name ends in neither.
            OSError: it can't be written.
        """
        path = pathlib.Path(path)
        suffix = path.suffix.lower()
        if suffix == ".npz":
            about = {
                "settings": self.settings,
                "value_range": self.value_range,
                "names": used_names(self.targets, self.class_names),
            }
            files.write_arrays(path, self._arrays, about)
        elif suffix == ".png":
            files.write_picture(path, self.plot)
        else:
            raise ValueError(
                f"An explanation is saved as .npz (its arrays) or .png (its picture), "
                f"but got {path.name!r}."
            )
        return path

    @classmethod
    def load(cls, path: str | os.PathLike) -> Explanation:
        """Read what `save` wrote to a .npz file; nothing in it is run.

        Raises:
            ValueError: the file holds no explanation.
            OSError: it can't be read.
        """
        arrays, about = files.read_arrays(path, ("images", *KEYS))
        images, names = arrays.pop("images"), about["names"]
        try:
            if names is not None:  # JSON's keys are text
                names = {int(target): name for target, name in names.items()}
            loaded = cls(images, arrays, about["value_range"], names)
        except (ValueError, TypeError) as error:
            raise files.no_explanation(path, error) from None
        loaded.settings = about["settings"]
        return loaded


def _settings(explainer) -> dict:
    """What made an explanation, as JSON holds it."""
    return {
        "method": type(explainer).__name__,
        "superpixels": settings.plain(explainer.superpixels),
        "preprocess": settings.plain(explainer.preprocess),
        **settings.settings(explainer),
        "version": __version__,
    }
