"""`python -m tf_superpixel_saliency`, the same as the command superpixel-saliency."""

import sys

from tf_superpixel_saliency.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
