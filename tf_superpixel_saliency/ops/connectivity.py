"""Connected components of a label image, and the merging of small ones.

scikit-image makes SLIC's groups connected by one sequential scan: it floods the
image component by component in raster order. Here the same result comes from a few
parallel steps: components by hooking and pointer jumping, the order in which a
flood fill would visit pixels by one sweep a distance, and merges, each into an
earlier component and therefore a forest, by pointer doubling.

All functions take one image; nothing leaves the graph and all shapes are fixed.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import groups, trees

# Steps from a pixel to its neighbours (dy, dx), in the order in which
# scikit-image's flood fill looks at them.
_STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))
# Keys grow by two bits a sweep, and a float64 holds 53: so many sweeps from keys
# below 2, 2**11 and 2**28.
_SWEEPS_AT_FIRST, _SWEEPS_IF_COUNTED, _SWEEPS_IF_SORTED = 25, 20, 12
_MOST_PIXELS = 2**27
# So many keys at most are ranked by counting instead of sorting.
_COUNTED = 1024
# Up to one pixel in so many is visited by a list of them.
_FEW = 4


def _neighbour(values: tf.Tensor, step: int, outside) -> tf.Tensor:
    """What lies one step away from every pixel, `outside` beyond the border."""
    dy, dx = _STEPS[step]
    padded = tf.pad(values, [[1, 1], [1, 1]], constant_values=outside)
    shape = tf.shape(values)
    inner = padded[1 + dy : 1 + dy + shape[0], 1 + dx : 1 + dx + shape[1]]
    return tf.ensure_shape(inner, values.shape)


def _indices_like(labels: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(labels)
    indices = tf.reshape(tf.range(shape[0] * shape[1]), shape)
    return tf.ensure_shape(indices, labels.shape)


def _sizes(components: tf.Tensor) -> tf.Tensor:
    """Size of the component whose first pixel is i, at place i: (H·W,) int32."""
    flat = tf.reshape(components, [-1])
    return tf.math.unsorted_segment_sum(tf.ones_like(flat), flat, tf.size(flat))


class _Shifts:
    """The image as one flat array in which a step is a shift.

    A column behind the image and a margin at both ends keep what is not adjacent
    apart. Shifts of a flat array are contiguous reads, unlike those of a padded
    image.
    """

    def __init__(self, size):
        self.height, self.width = size[0], size[1] + 1
        self.length = self.height * self.width

    def flat(self, values, outside):
        padded = tf.pad(values, [[0, 0], [0, 1]], constant_values=outside)
        return tf.reshape(padded, [-1])

    def image(self, values, shape):
        image = tf.reshape(values, [self.height, self.width])[:, :-1]
        return tf.ensure_shape(image, shape)

    def behind(self, values, outside):
        """For each step, the values at the pixels from which it leads here."""
        margin = tf.fill([self.width], tf.cast(outside, values.dtype))
        padded = tf.concat([margin, values, margin], axis=0)
        begins = [self.width - dy * self.width - dx for dy, dx in _STEPS]
        return [padded[begin : begin + self.length] for begin in begins]


def connected_components(labels: tf.Tensor) -> tf.Tensor:
    """The 4-connected components of equal labels.

    Each round hooks the root of every tree to the least neighbouring root and then
    halves the trees' depth twice (Shiloach and Vishkin, 1982, in the form of Zhang,
    Azad and Hu's FastSV, 2020).

    Args:
        labels: (H, W) integer.

    Returns:
        (H, W) int32: at every pixel the raster index y·W + x of the first pixel of
        its component.
    """
    shifts = _Shifts(tf.shape(labels))
    inside = shifts.flat(tf.fill(tf.shape(labels), True), False)
    flat = shifts.flat(labels, -1)
    same = [
        inside & near_inside & tf.equal(flat, near)
        for near, near_inside in zip(
            shifts.behind(flat, -1), shifts.behind(inside, False)
        )
    ]
    last = tf.constant(tf.int32.max)

    def hook(roots, _):
        least = roots
        for linked, near in zip(same, shifts.behind(roots, 0)):
            least = tf.minimum(least, tf.where(linked, near, last))
        hooked = tf.math.unsorted_segment_min(least, roots, shifts.length)
        pointers = tf.minimum(tf.minimum(roots, hooked), least)
        for _ in range(2):
            pointers = tf.gather(pointers, pointers)
        return pointers, tf.reduce_any(tf.not_equal(pointers, roots))

    roots, _ = tf.while_loop(
        lambda _, changed: changed,
        hook,
        (tf.range(shifts.length), tf.constant(True)),
        parallel_iterations=1,
    )
    # From places in the array with an extra column to places in the image.
    return shifts.image(roots - roots // shifts.width, labels.shape)


def _ranked(keys: tf.Tensor, used: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Replace keys by a power of two plus their ranks: the same order, fewer bits.

    A level's keys then lie in [b, 2b) for some b, the next level's in [4b, 8b).

    Args:
        keys: (n,) float64, different from each other where they are used.
        used: (n,) bool; other keys stay as they are.

    Returns:
        The keys, b, and how many sweeps may follow.
    """
    place = tf.cumsum(tf.cast(used, tf.int32)) - 1

    def by_counting():
        slot = tf.where(used, place, _COUNTED)
        few = tf.math.unsorted_segment_min(keys, slot, _COUNTED + 1)[:_COUNTED]
        ranks = tf.reduce_sum(tf.cast(few[None] < few[:, None], tf.int32), axis=1)
        ranked = tf.gather(_double(_COUNTED + ranks), slot % _COUNTED)
        return tf.where(used, ranked, keys), _double(_COUNTED), _SWEEPS_IF_COUNTED

    def by_sorting():
        order = tf.argsort(tf.where(used, keys, np.inf))
        ranked = _double(_MOST_PIXELS + tf.argsort(order))
        return tf.where(used, ranked, keys), _double(_MOST_PIXELS), _SWEEPS_IF_SORTED

    return tf.cond(place[-1] < _COUNTED, by_counting, by_sorting)


def _double(value):
    return tf.cast(value, tf.float64)


def _fill_order(components: tf.Tensor, active: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The order in which a flood fill from its first pixel visits a component.

    A first-in-first-out fill visits by distance from its start, and at equal
    distance in the order of (place of the discovering pixel, direction looked in).
    One sweep a distance gives all pixels there the least such pair as their key,
    4·(key of the discovering pixel) + direction. From 1 at the start, keys of
    larger distances are then larger. A pixel not visited yet has no neighbours at
    smaller distances than the last, so that a sweep need not know the last.

    Args:
        components: (H, W) int32, as of `connected_components`.
        active: (H, W) bool, components to visit.

    Returns:
        phases: (H, W) int32, and
        keys: (H, W) float64. The order in a component is by phase, then by key.
    """
    few = tf.size(components) // _FEW + 1
    return tf.cond(
        tf.reduce_sum(tf.cast(active, tf.int32)) <= few,
        lambda: _fill_order_of_few(components, active, few),
        lambda: _fill_order_of_many(components, active),
    )


def _fill_order_of_many(components, active):
    """`_fill_order` by sweeps over all pixels."""
    shifts = _Shifts(tf.shape(components))
    names = shifts.flat(tf.where(active, components, -1), -1)
    links = [(names >= 0) & tf.equal(names, name) for name in shifts.behind(names, -1)]

    def behind(keys):
        near = shifts.behind(keys, np.inf)
        return [tf.where(linked, key, np.inf) for linked, key in zip(links, near)]

    start = active & tf.equal(components, _indices_like(components))
    phases, keys = _swept(shifts.flat(start, False), behind)
    shape = components.shape
    return shifts.image(phases, shape), shifts.image(keys, shape)


def _fill_order_of_few(components, active, few):
    """`_fill_order` by sweeps over a list of at most `few` pixels."""
    shape = tf.shape(components)
    place = groups.count_before(tf.reshape(active, [-1, 1]))
    place = tf.where(active, tf.reshape(place, shape), few)
    listed = tf.math.unsorted_segment_max(
        tf.range(tf.size(components)), tf.reshape(place, [-1]), few + 1
    )
    used, listed = listed[:few] >= 0, tf.maximum(listed[:few], 0)
    names = tf.where(active, components, -1)
    sources = []
    for step in range(4):
        # The neighbour from which the step leads here: the opposite step's.
        linked = active & tf.equal(_neighbour(names, step ^ 1, -1), names)
        source = tf.where(linked, _neighbour(place, step ^ 1, 0), few)
        source = tf.gather(tf.reshape(source, [-1]), listed)
        sources.append(tf.where(used, source, few))

    def behind(keys):
        keys = tf.concat([keys, [_double(np.inf)]], axis=0)
        return [tf.gather(keys, source) for source in sources]

    start = active & tf.equal(components, _indices_like(components))
    start = used & tf.gather(tf.reshape(start, [-1]), listed)
    phases, keys = _swept(start, behind)
    phases = tf.gather(tf.concat([phases, [0]], axis=0), place)
    keys = tf.gather(tf.concat([keys, [_double(np.inf)]], axis=0), place)
    phases = tf.ensure_shape(phases, components.shape)
    return phases, tf.ensure_shape(keys, components.shape)


def _swept(start, behind):
    """Phases and keys, as of `_fill_order`, of pixels in any arrangement.

    Args:
        start: (n,) bool, where fills begin.
        behind: from (n,) keys to those of the four pixels that may discover each, in
            the order of `_STEPS`, infinite for none.

    Returns:
        phases, (n,) int32, and keys, (n,) float64.
    """
    keys = tf.where(start, _double(1), np.inf)

    def sweep(count, keys, _):
        found = tf.fill(tf.shape(keys), _double(np.inf))
        for step, near in enumerate(behind(keys)):
            found = tf.minimum(found, near * 4.0 + float(step))
        grown = tf.where(keys < np.inf, keys, found)
        return count + 1, grown, tf.reduce_any(tf.not_equal(grown, keys))

    def phase_of_sweeps(phase, phases, final, keys, lowest, limit, _):
        count, grown, going_on = tf.while_loop(
            lambda count, _, changed: changed & (count < limit),
            sweep,
            (tf.constant(0), keys, tf.constant(True)),
            parallel_iterations=1,
        )
        new = tf.not_equal(grown, keys)
        phases = tf.where(new, phase, phases)
        final = tf.where(new, grown, final)
        lowest *= 4.0 ** _double(count)
        keys, lowest, limit = tf.cond(
            going_on,
            # Between the last level and the one before, half as large at most.
            lambda: _ranked(grown, new & (grown > 0.75 * lowest)),
            lambda: (grown, lowest, limit),
        )
        return phase + 1, phases, final, keys, lowest, limit, going_on

    phases = tf.zeros_like(keys, tf.int32)
    state = tf.constant(1), phases, keys, keys, _double(1)
    _, phases, final, *_ = tf.while_loop(
        lambda *state: state[-1],
        phase_of_sweeps,
        (*state, tf.constant(_SWEEPS_AT_FIRST), tf.reduce_any(start)),
        parallel_iterations=1,
    )
    return phases, final


def _cut_large(labels: tf.Tensor, max_size: tf.Tensor):
    """Cut components above `max_size` where a flood fill would stop.

    The first `max_size` pixels that the fill visits become a component of their
    own; what remains is filled anew, from its own first pixel.

    Returns:
        components, (H, W) int32, and their sizes, (H·W,) int32.
    """
    pixels = tf.size(labels)

    def cut(labels, components, sizes):
        flat = tf.reshape(components, [-1])
        large = tf.gather(sizes, components) > max_size
        phases, keys = _fill_order(components, large)
        # Sorted by component, then phase, then key; stable sorts from the last.
        order = tf.argsort(tf.reshape(keys, [-1]), stable=True)
        for values in (tf.reshape(phases, [-1]), flat):
            order = tf.gather(order, tf.argsort(tf.gather(values, order), stable=True))
        place = tf.argsort(order)
        first = tf.math.unsorted_segment_min(place, flat, pixels)
        rank = tf.reshape(place - tf.gather(first, flat), tf.shape(labels))
        cut_off = large & (rank < max_size)
        labels = tf.where(cut_off, pixels + components, labels)
        components = connected_components(labels)
        return labels, components, _sizes(components)

    components = connected_components(labels)
    _, components, sizes = tf.while_loop(
        lambda _, components, sizes: tf.reduce_max(sizes) > max_size,
        cut,
        (labels, components, _sizes(components)),
        parallel_iterations=1,
    )
    return components, sizes


def merge_small(
    labels: tf.Tensor, min_size: tf.Tensor, max_size: tf.Tensor, masked: bool = False
) -> tf.Tensor:
    """Make groups connected and none smaller than `min_size`.

    As scikit-image's SLIC does it: components are taken in raster order of their
    first pixels; one above `max_size` is cut where its flood fill reaches that size;
    one below `min_size` joins the earlier component that its flood fill touched
    last. Components before the first large one join that one.

    Args:
        labels: (H, W) int32; negative outside the mask, at pixels that stay as they
            are.
        min_size: scalar int32, pixels.
        max_size: scalar int32, pixels, at least 1 and at least `min_size`.
        masked: whether any label can be negative.

    Returns:
        (H, W) int32: raster index of one pixel of the group; negative outside.
    """
    indices = _indices_like(labels)
    # A limit of one pixel leaves every pixel by itself, without a round for each.
    labels = tf.where((max_size <= 1) & (labels >= 0), indices, labels)
    inside = labels >= 0
    if masked:
        # The outside is never cut nor merged: its pixels are single components.
        components, sizes = _cut_large(tf.where(inside, labels, -1 - indices), max_size)
    else:
        components, sizes = _cut_large(labels, max_size)
    flat = tf.reshape(components, [-1])
    small = inside & (tf.gather(sizes, components) < min_size)
    is_large = tf.reshape(
        inside & tf.logical_not(small) & tf.equal(components, indices), [-1]
    )
    earlier = _earlier_neighbours(components, inside)
    if masked:
        waiting = _waiting(earlier, components, small, is_large)
    else:
        first_large = tf.reduce_min(
            tf.where(is_large, tf.reshape(indices, [-1]), tf.size(labels))
        )
        waiting = tf.reshape(indices, [-1]) < first_large
    parents = _last_touched(components, small, earlier, waiting, is_large)
    roots = _next_large(waiting, is_large, parents)
    roots = tf.gather(trees.find_roots(roots), flat)
    roots = tf.ensure_shape(tf.reshape(roots, tf.shape(labels)), labels.shape)
    return tf.where(inside, roots, -1)


def _earlier_neighbours(components, inside):
    """Per step, the neighbour's component where it is an earlier one, else −1."""
    neighbours = []
    for step in range(4):
        near = _neighbour(tf.where(inside, components, -1), step, -1)
        neighbours.append(tf.where(inside & (near < components), near, -1))
    return neighbours


def _large_before(is_large):
    """How many large components begin before each pixel, (H·W,) int32."""
    return tf.cumsum(tf.cast(is_large, tf.int32), exclusive=True)


def _may_join(component, neighbour, waiting, before):
    """Whether a neighbour already has a number when the component is filled.

    A component that found none to join waits for the next large one.
    """
    safe = tf.maximum(neighbour, 0)
    still_waiting = tf.gather(waiting, safe) & tf.equal(
        tf.gather(before, safe), tf.gather(before, component)
    )
    return (neighbour >= 0) & tf.logical_not(still_waiting)


def _waiting(earlier, components, small, is_large):
    """Small components that find none to join, (H·W,) bool at their first pixels.

    With a mask they can lie anywhere. Whether one waits depends on earlier ones
    only, so repeating until nothing changes gives the sequential scan's answer.
    """
    before = _large_before(is_large)
    flat = tf.reshape(components, [-1])
    count = tf.size(flat)
    candidates = tf.reshape(
        small & tf.equal(components, _indices_like(components)), [-1]
    )

    def again(waiting, _):
        touches = tf.zeros_like(components, tf.bool)
        for neighbour in earlier:
            touches |= _may_join(components, neighbour, waiting, before)
        joined = tf.math.unsorted_segment_max(
            tf.cast(tf.reshape(touches, [-1]), tf.int32), flat, count
        )
        now = candidates & (joined < 1)
        return now, tf.reduce_any(tf.not_equal(now, waiting))

    waiting, _ = tf.while_loop(
        lambda _, changed: changed,
        again,
        (tf.zeros_like(candidates), tf.constant(True)),
        parallel_iterations=1,
    )
    return waiting


def _last_touched(components, small, earlier, waiting, is_large):
    """The component that each small one's fill touches last, (H·W,) int32.

    At places other than a small component's first pixel: the place itself.
    """
    before = _large_before(is_large)
    flat = tf.reshape(components, [-1])
    count = tf.size(flat)
    target = -tf.ones_like(components)
    for neighbour in earlier:
        joins = _may_join(components, neighbour, waiting, before)
        target = tf.where(joins, neighbour, target)
    target = tf.where(small, target, -1)
    targets = tf.reshape(target, [-1])
    most = tf.math.unsorted_segment_max(targets, flat, count)
    targets = tf.where(targets < 0, tf.int32.max, targets)
    least = tf.math.unsorted_segment_min(targets, flat, count)
    # Where one component only is touched, the order makes no difference.
    several = (most >= 0) & tf.not_equal(most, least)
    filled = tf.gather(several, components)
    phases, keys = _fill_order(components, filled)

    def last(values, among):
        values = tf.where(among, values, tf.constant(-1, values.dtype))
        largest = tf.math.unsorted_segment_max(tf.reshape(values, [-1]), flat, count)
        return among & tf.equal(values, tf.gather(largest, components))

    chosen = last(keys, last(phases, filled & (target >= 0)))
    chosen = tf.reshape(tf.where(chosen, target, -1), [-1])
    chosen = tf.math.unsorted_segment_max(chosen, flat, count)
    parents = tf.where(several, chosen, most)
    return tf.where(parents < 0, tf.range(count), parents)


def _next_large(waiting, is_large, parents):
    """Let waiting components join the next large one, or all those left over."""
    before = _large_before(is_large)
    own = tf.range(tf.size(parents))
    count = tf.size(parents) + 1
    large = tf.math.unsorted_segment_min(
        tf.where(is_large, own, tf.int32.max), before, count
    )
    rest = tf.math.unsorted_segment_min(
        tf.where(waiting, own, tf.int32.max), before, count
    )
    joined = tf.where(tf.equal(large, tf.int32.max), rest, large)
    return tf.where(waiting, tf.gather(joined, before), parents)
