"""Make the README's pictures again: python docs/make_images.py

Runs `superpixel-saliency demo` and keeps two of its pictures, the large one as JPEG;
and explains its first photo once more, for the page on accuracy.
"""

import pathlib
import shutil
import tempfile

from PIL import Image

import tf_superpixel_saliency as tss
from tf_superpixel_saliency import plots
from tf_superpixel_saliency.cli.parser import main

IMAGES = pathlib.Path(__file__).parent / "images"

with tempfile.TemporaryDirectory() as folder:
    main(["demo", "--output", folder])
    made = pathlib.Path(folder)
    shutil.copy(made / "coffee.png", IMAGES / "coffee.png")
    Image.open(made / "methods.png").convert("RGB").save(
        IMAGES / "methods.jpg", quality=88
    )

photos = tss.demo.load_photos()[1]
out = tss.SmoothGrad(tss.demo.load_model(), tss.Quickshift())(photos[:1])
axes = plots.plot_uncertainty(photos[0], out["maps"][0], out["standard_error"][0])
axes[0].figure.savefig(IMAGES / "uncertainty.png")
