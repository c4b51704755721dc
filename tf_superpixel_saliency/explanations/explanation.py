"""What `.explain()` returns: an explanation as arrays, picture and files."""

from __future__ import annotations

import io
import os
import pathlib

import numpy as np

from tf_superpixel_saliency.explainers import settings
from tf_superpixel_saliency.explanations import files, regions
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.version import __version__

KEYS = ("maps", "heatmaps", "segments", "targets", "scores", "status")
_MOST_SHOWN = 8  # images in a notebook's picture


class Explanation:
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
        missing = [key for key in KEYS if key not in outputs]
        if missing:
            raise ValueError(
                f"outputs must hold what an explainer returns, but has no {missing}."
            )
        self._arrays = {
            "images": _frozen(np.asarray(images, np.float32)),
            **{key: _frozen(np.asarray(value)) for key, value in outputs.items()},
        }
        if value_range is None:
            value_range = regions.seen_range(self.images)
        self.value_range = tuple(float(bound) for bound in value_range)
        self.class_names = class_names
        self.settings = {} if explainer is None else _settings(explainer)
        lengths = {key: len(value) for key, value in self._arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"Arrays must be of as many images, but are {lengths}.")

    # -- the arrays -----------------------------------------------------------------

    def __getattr__(self, name):
        arrays = vars(self).get("_arrays", {})
        if name not in arrays:
            raise AttributeError(
                f"An explanation has no {name!r}; its arrays are {sorted(arrays)}."
            )
        return arrays[name]

    def __dir__(self):
        return sorted({*super().__dir__(), *self._arrays})

    @property
    def extras(self) -> dict:
        """{name: (N,) float32}, what the method returns besides."""
        return {k: v for k, v in self._arrays.items() if k not in (*KEYS, "images")}

    def keys(self):
        """Names of the arrays: `dict(explanation)` is a dictionary of all of them."""
        return self._arrays.keys()

    def __len__(self):
        return len(self.targets)

    def __iter__(self):
        return (self[number] for number in range(len(self)))

    def __getitem__(self, item):
        if isinstance(item, str):
            if item not in self._arrays:
                raise KeyError(
                    f"An explanation has no {item!r}; its arrays are "
                    f"{sorted(self._arrays)}."
                )
            return self._arrays[item]
        if isinstance(item, (int, np.integer)):
            if not -len(self) <= item < len(self):
                raise IndexError(f"image {item} of {len(self)}")
            item = [int(item)]
        part = object.__new__(type(self))
        vars(part).update(vars(self))
        arrays = {key: _frozen(value[item]) for key, value in self._arrays.items()}
        vars(part)["_arrays"] = arrays
        return part

    # -- for people -----------------------------------------------------------------

    def labels(self) -> list[str]:
        """The class explained in each image, by name where names are known."""
        return [self._name(int(target)) for target in self.targets]

    def _name(self, target):
        if self.class_names is None:
            return f"class {target}" if target >= 0 else ""
        if callable(self.class_names):
            return str(self.class_names(target))
        try:
            return str(self.class_names[target])
        except (IndexError, KeyError):
            return f"class {target}"

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
        return self.segments.reshape(len(self), -1).max(axis=1) + 1

    def top_groups(self, k: int = 10, min_area: int = 1) -> list[list[dict]]:
        """The k groups of highest mean heat of each image, the highest first.

        Args:
            k: how many groups, at least 1; all where there are fewer.
            min_area: pixels that a group has at least to be ranked.

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

    def plot(self, index=None, *, k=10, min_area=1, percentile=99, figure=None):
        """Draw photo, map and highest groups of one image, or several in a grid.

        Args:
            index: which image; None for all, which are drawn as a grid of photos and
                maps where there are several.
            k, min_area: which groups are outlined, as in `top_groups`.
            percentile: in (0, 100], where each map is cut off.
            figure: an empty matplotlib Figure to fill; a new one unless given.

        Returns:
            Array of matplotlib Axes; `axes[0].figure` is the figure of one image's,
            `axes[0, 0].figure` of several.

        Raises:
            IndexError: there is no such image.
            ValueError: as `plots.plot_explanation`.
        """
        from tf_superpixel_saliency import plots

        shown = self if index is None else self[index]
        photos = [regions.photo(image, self.value_range) for image in shown.images]
        if len(shown) > 1:
            return plots.plot_grid(
                photos,
                {"Map": [np.nan_to_num(one) for one in shown.heatmaps]},
                row_labels=shown.titles(),
                percentile=percentile,
                cell=2.2,
                value_range=(0, 1),
                figure=figure,
            )
        grouped = int(shown.num_groups[0]) < shown.segments[0].size
        return plots.plot_explanation(
            photos[0],
            None if grouped else np.nan_to_num(shown.heatmaps[0]),
            np.nan_to_num(shown.heatmaps[0]) if grouped else None,
            shown.segments[0] if grouped else None,
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
        from tf_superpixel_saliency import plots

        figure, target = plots.new_figure(), io.BytesIO()
        self[:_MOST_SHOWN].plot(figure=figure)
        figure.savefig(target, format="png")
        return target.getvalue()

    def __repr__(self):
        method = self.settings.get("method", "an explainer")
        over = (self.settings.get("superpixels") or {}).get("class")
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
            pixels = "" if groups == height * width else f", {groups} groups"
            lines.append(f"  {number}: {title}{pixels}")
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
        if path.suffix == ".npz":
            about = {
                "settings": self.settings,
                "value_range": self.value_range,
                "labels": self.labels() if self.class_names is not None else None,
            }
            files.write_arrays(path, self._arrays, about)
        elif path.suffix == ".png":
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
        images = arrays.pop("images")
        loaded = cls(images, arrays, about["value_range"])
        loaded.settings = about["settings"]
        if about["labels"] is not None:
            targets = arrays["targets"].tolist()
            loaded.class_names = dict(zip(targets, about["labels"]))
        return loaded


def _frozen(array):
    array = array.view()  # the caller's own stays as it was
    array.setflags(write=False)
    return array


def _settings(explainer) -> dict:
    """What made an explanation, as JSON holds it."""
    return {
        "method": type(explainer).__name__,
        "superpixels": settings.plain(explainer.superpixels),
        "preprocess": settings.plain(explainer.preprocess),
        **settings.settings(explainer),
        "version": __version__,
    }
