"""Where a version stands that somebody types, among those that were measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from ckptmatrix.results.verdict.versions import Gap, Place, Scale, key_of, place

DIFFER = Gap("write differently")
GAPS = {0: Gap(""), 1: DIFFER, 2: Gap(""), 3: Gap("load differently", ("2.5", "2.6"))}
SCALE = Scale("any", ("1.1.1", "1.4.0", "1.8.1", "2.4.1", "2.13.0"), GAPS.__getitem__, None)
OLD_KNOWN = Scale("any", ("2.4.1", "2.13.0"), GAPS.__getitem__, ("1.13", "2.4"))

RELEASES = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda n: ".".join(map(str, n)))


def test_a_measured_version_is_itself_however_it_is_typed() -> None:
    for typed in ("1.4", "1.4.0", "v1.4", " 1.4.0 ", "1.4.0+cu121"):
        assert place(SCALE, typed) == Place("1.4.0", measured=True)


def test_the_beginning_of_one_measured_version_means_it_and_of_several_none() -> None:
    assert place(SCALE, "2.4") == Place("2.4.1", "measured with 2.4.1", measured=True)
    assert place(SCALE, "1") == Place(
        "", "can be 1.1.1, 1.4.0 or 1.8.1", ("1.1.1", "1.4.0", "1.8.1")
    )
    # 2.1 is not the beginning of 2.13.
    assert place(SCALE, "2.1") == Place(
        "2.4.1", "not measured; nearest 2.4.1, which behaves as 1.8.1 does"
    )


def test_between_two_that_behave_alike_the_nearest_stands_for_it() -> None:
    said = "not measured; nearest {}, which behaves as {} does"
    assert place(SCALE, "1.2") == Place("1.1.1", said.format("1.1.1", "1.4.0"))
    assert place(SCALE, "1.3.5") == Place("1.4.0", said.format("1.4.0", "1.1.1"))


def test_between_two_that_differ_nothing_stands_for_it() -> None:
    said = "not measured: between 1.4.0 and 1.8.1, which write differently"
    assert place(SCALE, "1.5") == Place("", said, ("1.4.0", "1.8.1"))


def test_known_borders_tell_the_side_and_what_lies_between_them_stays_unknown() -> None:
    said = "not measured; nearest {}, the same side of the border at {}"
    assert place(SCALE, "2.6") == Place("2.13.0", said.format("2.13.0", "2.6"))
    assert place(SCALE, "2.4.9") == Place("2.4.1", said.format("2.4.1", "2.5"))
    # A candidate of the release that brings the border is not told from what is before it.
    for typed in ("2.5", "2.5.1", "2.6rc1"):
        assert place(SCALE, typed).instead == ("2.4.1", "2.13.0")


def test_beyond_what_was_measured_nothing_stands_for_it_but_where_no_border_is_known() -> None:
    assert place(SCALE, "2.14").said == "not measured: newer than 2.13.0, the newest measured"
    assert place(SCALE, "2.13.0.post1").version == ""
    assert place(SCALE, "1.0").said == "not measured: older than 1.1.1, the oldest measured"
    assert place(OLD_KNOWN, "2.4.0").version == "2.4.1"
    assert place(OLD_KNOWN, "2.3").said == "not measured: older than 2.4.1, the oldest measured"
    assert place(Scale("any", (), GAPS.__getitem__), "1") == Place(
        "", "not measured: this run has none"
    )


@pytest.mark.parametrize(
    "typed", ["", "newest", "1.x", "1..2", "-1", "1.2.3.4.5.6", "9999999", "<b>"]
)
def test_what_is_no_version_is_said_to_be_none(typed: str) -> None:
    assert key_of(typed) is None
    assert place(SCALE, typed) == Place("", f"'{typed}' is no version")


@given(RELEASES, RELEASES)
def test_versions_are_ordered_as_packaging_orders_them(one: str, other: str) -> None:
    here, there = key_of(one), key_of(other)
    assert here is not None
    assert there is not None
    assert (here < there) == (Version(one) < Version(other))
    assert (here == there) == (Version(one) == Version(other))


def test_candidates_come_before_their_release_and_posts_after_it() -> None:
    order = ["1.2rc1", "1.2", "1.2.post1", "1.3.dev0", "1.3"]
    keys = [key_of(text) for text in order]
    assert keys == sorted(keys)  # type: ignore[type-var]
