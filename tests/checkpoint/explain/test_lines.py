"""The line index against facts known from the released files, and what frames say together."""

import base64

import pytest

from ckptmatrix.checkpoint.explain.frames import Frame
from ckptmatrix.checkpoint.explain.lines import (
    BEGINNING,
    DIGEST_BYTES,
    By,
    FileLines,
    Index,
    LineMatch,
    digest,
    digest_of_beginning,
    in_words,
    indexed_path,
    load_index,
    match,
)
from ckptmatrix.checkpoint.explain.origin import origin_of

STEP = 'self.step = override_attributes["step"]'
ACCELERATOR = "/x/site-packages/accelerate/accelerator.py"
CHECKPOINTING = "/x/site-packages/accelerate/checkpointing.py"


def _index(**releases: list[str]) -> Index:
    """An index of one file whose functions all are `f`, from release -> lines."""

    def content(lines: list[str]) -> FileLines:
        whole = b"".join(map(digest, lines))
        beginnings = b"".join(map(digest_of_beginning, lines))
        return FileLines(
            base64.b64encode(whole).decode(),
            base64.b64encode(beginnings).decode(),
            [("f", 1, len(lines))],
        )

    files = {name: content(lines) for name, lines in releases.items()}
    return Index(list(releases), {"accelerate/a.py": files})


def _match(line: int, code: str, index: Index, cropped: bool = False) -> LineMatch:
    found = match(Frame("accelerate/a.py", line, "f", code, cropped), index)
    assert found
    return found


@pytest.mark.parametrize(
    ("line", "releases"), [(3156, ("0.33.0",)), (3147, ("0.32.0", "0.32.1")), (3155, ())]
)
def test_the_founding_line(line: int, releases: tuple[str, ...]) -> None:
    found = match(Frame(ACCELERATOR, line, "load_state", STEP))
    assert found
    assert found.releases == releases


def test_every_release_has_its_save_and_load_path() -> None:
    index = load_index()
    assert len(index.releases) >= 72
    assert index.releases[0] == "0.6.0"
    for name in ("accelerate/accelerator.py", "accelerate/checkpointing.py"):
        assert list(index.files[name]) == index.releases


def test_without_code_the_function_decides() -> None:
    found = match(Frame(ACCELERATOR, 3156, "Accelerator.load_state"))
    assert found
    assert found.by is By.FUNCTION
    assert "0.33.0" in found.releases


def test_a_file_of_another_package_is_not_looked_up() -> None:
    assert match(Frame("/x/site-packages/torch/serialization.py", 10, "load", "x")) is None
    assert indexed_path("accelerate/nothing.py", load_index()) is None


def test_moved_code_is_found_elsewhere() -> None:
    index = _index(**{"1.0": ["def f():", "go()"], "2.0": ["def f():", "", "go()"]})
    found = _match(3, "go()", index)
    assert found.releases == ("2.0",)
    assert found.elsewhere == {"1.0": 2}


def test_a_cropped_line_is_compared_by_its_beginning() -> None:
    long = "value = load(" + ", ".join(f"argument_{n}" for n in range(10)) + ")"
    index = _index(**{"1.0": ["def f():", long], "2.0": ["def f():", "pass"]})
    assert _match(2, long[: BEGINNING + 5], index, cropped=True).releases == ("1.0",)
    assert _match(2, long[: BEGINNING + 5], index).by is By.NONE
    short = _match(2, long[: BEGINNING - 5], index, cropped=True)
    assert (short.by, short.releases) == (By.FUNCTION, ("1.0", "2.0"))


def test_digests_are_only_matched_on_their_own_places() -> None:
    one, two = digest("one"), digest("two")
    index = _index(**{"1.0": ["one", "two"]})
    content = index.files["accelerate/a.py"]["1.0"]
    assert base64.b64decode(content.digests) == one + two
    assert len(one) == DIGEST_BYTES
    assert _match(1, "two", index).releases == ()


def test_frames_that_contradict_each_other_claim_no_release() -> None:
    of_0_33 = Frame(ACCELERATOR, 3156, "load_state", STEP)
    of_0_32 = Frame(ACCELERATOR, 3147, "load_state", STEP)
    found = origin_of((of_0_33, of_0_32))
    assert found.contradictory
    assert found.releases == found.edited == ()
    assert not origin_of((of_0_33,)).contradictory


def test_an_edited_file_is_said_to_be_and_says_nothing_of_the_release() -> None:
    edited = Frame(ACCELERATOR, 3156, "load_state", "self.step = 5800")
    sound = Frame(CHECKPOINTING, 208, "load_accelerator_state")
    found = origin_of((edited, Frame(ACCELERATOR, 3147, "load_state", STEP), sound))
    assert found.edited == ("accelerate/accelerator.py",)
    assert not found.contradictory
    assert "0.33.0" in found.releases


def test_runs_of_releases_in_words() -> None:
    index = _index(**{name: [""] for name in ("1.0", "1.1", "1.2", "2.0", "2.1")})
    assert in_words(("1.0", "1.1", "1.2", "2.1"), index) == "1.0 to 1.2, 2.1"
    assert in_words(("1.0", "1.1"), index) == "1.0, 1.1"
