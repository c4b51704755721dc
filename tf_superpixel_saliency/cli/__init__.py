"""The command `superpixel-saliency`: parsing and files, no arithmetic."""
