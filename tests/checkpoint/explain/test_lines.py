"""The line index against facts known from the released files."""

import base64

import pytest

from ckptmatrix.checkpoint.explain.lines import (
    DIGEST_BYTES,
    FileLines,
    Index,
    digest,
    in_words,
    indexed_path,
    load_index,
    match,
)

STEP = 'self.step = override_attributes["step"]'
ACCELERATOR = "/x/site-packages/accelerate/accelerator.py"


def _index(**releases: list[str]) -> Index:
    """An index of one file whose functions all are `f`, from release -> lines."""
    return Index(
        list(releases),
        {
            "accelerate/a.py": {
                name: FileLines(
                    base64.b64encode(b"".join(map(digest, lines))).decode(), [("f", 1, len(lines))]
                )
                for name, lines in releases.items()
            }
        },
    )


@pytest.mark.parametrize(
    ("line", "releases"), [(3156, ("0.33.0",)), (3147, ("0.32.0", "0.32.1")), (3155, ())]
)
def test_the_founding_line(line: int, releases: tuple[str, ...]) -> None:
    found = match(ACCELERATOR, line, "load_state", STEP)
    assert found is not None
    assert found.releases == releases


def test_every_release_has_its_save_and_load_path() -> None:
    index = load_index()
    assert len(index.releases) >= 72
    assert index.releases[0] == "0.6.0"
    for name in ("accelerate/accelerator.py", "accelerate/checkpointing.py"):
        assert list(index.files[name]) == index.releases


def test_without_code_the_function_decides() -> None:
    found = match(ACCELERATOR, 3156, "Accelerator.load_state", "")
    assert found is not None
    assert found.by == "function"
    assert "0.33.0" in found.releases


def test_a_file_of_another_package_is_not_looked_up() -> None:
    assert match("/x/site-packages/torch/serialization.py", 10, "load", "x") is None
    assert indexed_path("accelerate/nothing.py", load_index()) is None


def test_moved_code_is_found_elsewhere() -> None:
    index = _index(**{"1.0": ["def f():", "go()"], "2.0": ["def f():", "", "go()"]})
    found = match("accelerate/a.py", 3, "f", "go()", index)
    assert found is not None
    assert found.releases == ("2.0",)
    assert found.elsewhere == {"1.0": 2}


def test_digests_are_only_matched_on_their_own_places() -> None:
    one, two = digest("one"), digest("two")
    index = _index(**{"1.0": ["one", "two"]})
    content = index.files["accelerate/a.py"]["1.0"]
    assert base64.b64decode(content.digests) == one + two
    assert len(one) == DIGEST_BYTES
    found = match("accelerate/a.py", 1, "f", "two", index)
    assert found is not None
    assert found.releases == ()


def test_runs_of_releases_in_words() -> None:
    index = _index(**{name: [""] for name in ("1.0", "1.1", "1.2", "2.0", "2.1")})
    assert in_words(("1.0", "1.1", "1.2", "2.1"), index) == "1.0 to 1.2, 2.1"
    assert in_words(("1.0", "1.1"), index) == "1.0, 1.1"
