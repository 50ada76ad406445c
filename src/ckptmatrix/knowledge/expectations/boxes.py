"""Cover marked points of a space by few boxes. Pure.

A point takes one value of every dimension. A set of points is an integer with one bit for each
point of the space, so that sets of some 400,000 points are joined and compared in microseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_, or_

Point = tuple[int, ...]
"""A position in every dimension."""

Box = tuple[tuple[int, ...], ...]
"""The positions that it takes in every dimension, sorted; it is all their combinations."""


@dataclass(frozen=True)
class Dimension:
    """One dimension of a space."""

    size: int
    """How many values it has."""
    ordered: bool = False
    """Whether a box takes a range of it; else it takes any of its values."""


@dataclass(frozen=True)
class Space:
    """All combinations of the values of some dimensions."""

    dimensions: tuple[Dimension, ...]
    """Its dimensions; the order in which boxes grow follows theirs."""

    def points(self, points: Iterable[Point]) -> int:
        """Return the set of some points."""
        bits = bytearray(self._count // 8 + 1)
        for point in points:
            place = sum(at * step for at, step in zip(point, self._steps, strict=True))
            bits[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(bits, "little")

    def inside(self, box: Box) -> int:
        """Return the set of all points of a box."""
        return reduce(and_, map(self._slab, range(len(box)), box))

    def cover(self, wanted: int, barred: int) -> list[Box]:
        """Return boxes that have every wanted point between them, and no barred one.

        Each box is the one of several that takes the most of what is left: they grow from the same
        point, and differ in which dimension they grow along first. In the end each gives up the
        values for which the others would do.

        Args:
            wanted: the set of points to cover.
            barred: the set of points to leave out; has no point in common with `wanted`.
        """
        boxes, left = list[Box](), wanted
        while left:
            start = self._point((left & -left).bit_length() - 1)
            grown = (self._grown(start, wanted, barred, order) for order in self._orders)
            best = max(grown, key=lambda box: (left & self.inside(box)).bit_count())
            left &= ~self.inside(best)
            boxes.append(best)
        for number in range(len(boxes) - 1, -1, -1):
            others = (self.inside(box) for box in boxes[:number] + boxes[number + 1 :])
            boxes[number : number + 1] = self._trimmed(
                boxes[number], wanted & ~reduce(or_, others, 0)
            )
        return boxes

    def _trimmed(self, box: Box, needed: int) -> list[Box]:
        """The box without the values at which nothing needs it; none if nothing needs it at all."""
        needed &= self.inside(box)
        trimmed = tuple(
            taken
            if dimension.ordered
            else tuple(at for at in taken if needed & self._layers[number][at])
            for number, (dimension, taken) in enumerate(zip(self.dimensions, box, strict=True))
        )
        return [trimmed] if needed else []

    def free(self, box: Box, dimension: int, barred: int) -> tuple[int, ...]:
        """Return the positions that a box could take in one dimension without a barred point."""
        others = self._around(box, dimension) & barred
        values = range(self.dimensions[dimension].size)
        return tuple(at for at in values if not others & self._layers[dimension][at])

    def _grown(self, start: Point, wanted: int, barred: int, order: tuple[int, ...]) -> Box:
        box: Box = tuple((at,) for at in start)
        for dimension in order:
            around = self._around(box, dimension)
            layers = self._layers[dimension]
            hit, wall = around & wanted, around & barred
            taken = {start[dimension]}
            if self.dimensions[dimension].ordered:
                down = range(start[dimension] - 1, -1, -1)
                up = range(start[dimension] + 1, len(layers))
                for ray in (down, up):
                    passed = []
                    for at in ray:
                        if wall & layers[at]:
                            break
                        passed.append(at)
                        if hit & layers[at]:  # a range ends on a point that is wanted
                            taken.update(passed)
            else:
                taken |= {at for at, one in enumerate(layers) if hit & one and not wall & one}
            box = (*box[:dimension], tuple(sorted(taken)), *box[dimension + 1 :])
        return box

    def _around(self, box: Box, dimension: int) -> int:
        """All points that a box would have if it took the whole of one dimension."""
        others = [at for at in range(len(box)) if at != dimension]
        return reduce(and_, (self._slab(at, box[at]) for at in others), self._whole)

    def _slab(self, dimension: int, taken: tuple[int, ...]) -> int:
        """All points with one of some values in one dimension."""
        key = (dimension, taken)
        if key not in self._slabs:
            self._slabs[key] = reduce(or_, (self._layers[dimension][at] for at in taken))
        return self._slabs[key]

    def _point(self, place: int) -> Point:
        return tuple(
            place // step % dimension.size
            for step, dimension in zip(self._steps, self.dimensions, strict=True)
        )

    @cached_property
    def _orders(self) -> tuple[tuple[int, ...], ...]:
        """Every dimension first once, forwards and backwards."""
        there = tuple(range(len(self.dimensions)))
        turned = [there[at:] + there[:at] for at in there]
        return tuple(dict.fromkeys([*turned, *(order[::-1] for order in turned)]))

    @cached_property
    def _steps(self) -> tuple[int, ...]:
        steps = [1]
        for dimension in self.dimensions[:0:-1]:
            steps.append(steps[-1] * dimension.size)
        return tuple(reversed(steps))

    @cached_property
    def _count(self) -> int:
        return self._steps[0] * self.dimensions[0].size

    @cached_property
    def _whole(self) -> int:
        return (1 << self._count) - 1

    @cached_property
    def _slabs(self) -> dict[tuple[int, tuple[int, ...]], int]:
        return {}

    @cached_property
    def _layers(self) -> tuple[tuple[int, ...], ...]:
        """For every dimension and value: all points with it."""
        return tuple(
            tuple(self._layer(step, dimension.size, at) for at in range(dimension.size))
            for step, dimension in zip(self._steps, self.dimensions, strict=True)
        )

    def _layer(self, step: int, size: int, at: int) -> int:
        """Runs of `step` bits, one in every `size` runs, beginning with run number `at`."""
        pattern, period = ((1 << step) - 1) << (step * at), step * size
        while period < self._count:
            pattern |= pattern << period
            period *= 2
        return pattern & self._whole
