"""Side by side: in order, and ended by the first failure."""

import threading

import pytest

from ckptmatrix.util.parallel import side_by_side


def test_results_come_in_the_order_of_the_items() -> None:
    assert side_by_side(lambda n: n * n, range(20), 4) == [n * n for n in range(20)]


def test_what_has_not_begun_is_not_begun_after_a_failure() -> None:
    begun: list[int] = []
    gate = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("no")
        gate.wait(0.2)

    with pytest.raises(ValueError, match="no"):
        side_by_side(work, range(50), 2)
    assert len(begun) < 50
