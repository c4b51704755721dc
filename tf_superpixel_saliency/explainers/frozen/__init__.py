"""Models run as inference allows: batch norms folded, the affine start shared."""
