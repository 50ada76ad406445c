"""Boxes cover what is wanted, and nothing that is barred."""

from functools import reduce
from itertools import product
from operator import or_

from hypothesis import given
from hypothesis import strategies as st

from ckptmatrix.knowledge.expectations.boxes import Dimension, Space

SPACE = Space((Dimension(4, ordered=True), Dimension(3), Dimension(3, ordered=True)))
POINTS = list(product(range(4), range(3), range(3)))
WANTED, BARRED, FREE = range(3)


@given(st.lists(st.integers(WANTED, FREE), min_size=len(POINTS), max_size=len(POINTS)))
def test_all_that_is_wanted_and_nothing_that_is_barred(kinds: list[int]) -> None:
    def of(kind: int) -> int:
        return SPACE.points(p for p, found in zip(POINTS, kinds, strict=True) if found == kind)

    boxes = SPACE.cover(of(WANTED), of(BARRED))
    covered = reduce(or_, map(SPACE.inside, boxes), 0)
    assert covered & of(WANTED) == of(WANTED)
    assert not covered & of(BARRED)
    for box in boxes:
        others = (SPACE.inside(one) for one in boxes if one is not box)
        assert SPACE.inside(box) & of(WANTED) & ~reduce(or_, others, 0), "a box too many"
        for taken, dimension in zip(box, SPACE.dimensions, strict=True):
            if dimension.ordered:
                assert taken == tuple(range(taken[0], taken[-1] + 1))


def test_a_box_is_all_combinations_of_its_positions() -> None:
    box = ((1, 2), (0, 2), (0,))
    assert SPACE.inside(box) == SPACE.points(product(*box))


def test_what_is_free_is_passed_over_but_not_ended_on() -> None:
    wanted = SPACE.points([(0, 0, 0), (2, 0, 0)])
    barred = SPACE.points(p for p in POINTS if p[1:] != (0, 0))
    assert SPACE.cover(wanted, barred) == [((0, 1, 2), (0,), (0,))]


def test_one_box_is_enough_where_one_is() -> None:
    wanted = SPACE.points(product((1, 2), (0, 2), (0, 1, 2)))
    barred = SPACE.points(p for p in POINTS if p[0] in (0, 3) or p[1] == 1)
    assert SPACE.cover(wanted, barred) == [((1, 2), (0, 2), (0, 1, 2))]


def test_the_positions_that_a_box_could_take() -> None:
    box = ((1,), (0,), (0,))
    assert SPACE.free(box, 1, SPACE.points([(1, 2, 0), (2, 1, 0)])) == (0, 1)
