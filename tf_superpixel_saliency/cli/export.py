"""`superpixel-saliency export`: a model → a SavedModel that explains."""

from __future__ import annotations

from tf_superpixel_saliency import explainers, serving
from tf_superpixel_saliency.cli import models
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.cli.explanation import method_settings, superpixels_of


def run(arguments) -> int:
    """Write the SavedModel; returns 0.

    Raises:
        CommandError: the model can't be loaded, explained, exported or written.
    """
    loaded = models.load_model(arguments)
    try:
        folder = serving.export(
            explainer_of(loaded.model, arguments, loaded.size),
            arguments.output,
            version=arguments.version_number,
            image_shape=(loaded.size, loaded.size, loaded.channels),
            segments=arguments.segments,
            image_bytes=not arguments.no_image_bytes,
            resize="squeeze" if arguments.squeeze else "crop",
            warm_up=arguments.warm_up,
        )
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(
            f"can't write to --output {arguments.output!r}: {error}."
        ) from None
    print(f"SavedModel in {folder}")
    base = folder.parent.resolve()
    print(f"serve it: tensorflow_model_server --model_base_path={base}")
    return 0


def explainer_of(model, arguments, side=None):
    """The explainer that the flags describe, of images of that side."""
    superpixels = superpixels_of(arguments, side)
    method = getattr(explainers, arguments.method)
    settings = {**method_settings(arguments), "weights": arguments.group_weights}
    if arguments.method != "SimpleGradient":
        settings["partition"] = arguments.partition
    return method(model, superpixels, **settings)
