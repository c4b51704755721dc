"""Make the README's pictures again: python docs/make_images.py

Runs `superpixel-saliency demo` and keeps two of its pictures, the large one as JPEG.
"""

import pathlib
import shutil
import tempfile

from PIL import Image

from tf_superpixel_saliency.cli.parser import main

IMAGES = pathlib.Path(__file__).parent / "images"

with tempfile.TemporaryDirectory() as folder:
    main(["demo", "--output", folder])
    made = pathlib.Path(folder)
    shutil.copy(made / "coffee.png", IMAGES / "coffee.png")
    Image.open(made / "methods.png").convert("RGB").save(
        IMAGES / "methods.jpg", quality=88
    )
