"""What is measured of maps: pure functions on arrays and plain callables.

Nothing here knows an explainer: a map may come from any library. Every function takes
NumPy arrays and gives NumPy arrays back, one value an image where it can.
"""
