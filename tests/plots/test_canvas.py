"""Letters in pictures."""

import pytest

from tf_superpixel_saliency.plots import canvas

# 0.6 em of 10 points: 12 letters in 160 screen pixels.
TWELVE, SIZE = 160, 10.0


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("pixel", ["pixel"]),
        ("one two three", ["one two", "three"]),
        ("twelve marks", ["twelve marks"]),
        ("a  b\nc", ["a b c"]),
        # After punctuation, rather than inside of a name,
        ("Quickshift:max_dist=8", ["Quickshift:", "max_dist=8"]),
        ("a SLIC:size=100", ["a SLIC:", "size=100"]),
        ("SLIC(a=1,b=2,c=3)", ["SLIC(a=1,", "b=2,c=3)"]),
        # inside of one between its words,
        ("Quickshift:kernel_size=3", ["Quickshift:", "kernel_size=", "3"]),
        ("n_segments_of_all", ["n_segments_", "of_all"]),
        # and anywhere only where there is neither.
        ("abcdefghijklmnop", ["abcdefghijkl", "mnop"]),
    ],
)
def test_where_lines_break(text, lines):
    assert canvas.wrap(text, TWELVE, SIZE).split("\n") == lines


def test_a_line_has_eight_letters_at_least():
    assert canvas.wrap("abcdefghij", 1, 30.0) == "abcdefgh\nij"
