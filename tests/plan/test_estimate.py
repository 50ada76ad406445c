"""The estimate."""

from dataclasses import replace

from ckptmatrix.plan.estimate import Work, in_words


def test_an_estimate_grows_with_the_work() -> None:
    none = Work(0, 0, 0, 0, 0, 0)
    some = Work(45, 45, 45, 45, 2025, 0)
    assert none.seconds(2) == 0
    assert replace(some, remedies=True).seconds() > some.seconds()
    # What is not written yet may turn out to be the same as something else.
    assert replace(some, cells=0, loads=2025).seconds() > some.seconds()
    assert some.seconds(1) == 2 * some.seconds(2)
    assert in_words(12.2) == "12 s"
    assert in_words(720) == "12 min"
    assert in_words(6600) == "1 h 50 min"
