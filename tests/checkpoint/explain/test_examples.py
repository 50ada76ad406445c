"""Every known failure mode is recognised by the message that a user sees.

`examples/MODE/CASE--VERSIONS.txt` were raised by `tools/raise_failures.py` in the environment that
the name tells; `CASE--quoted.txt` are messages of failures that need GPUs or other libraries.
"""

import re
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.explain.catalogue import catalogue
from ckptmatrix.checkpoint.explain.diagnosis import diagnose

EXAMPLES = Path(__file__).parent / "examples"
FILES = sorted(EXAMPLES.glob("*/*.txt"))
RAISED = [file for file in FILES if "--accelerate-" in file.name]


def _id(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


def test_every_mode_has_an_example_and_every_example_a_mode() -> None:
    assert {file.parent.name for file in FILES} == set(catalogue())


@pytest.mark.parametrize("file", FILES, ids=_id)
def test_recognised_first(file: Path) -> None:
    first = diagnose(file.read_text())[0]
    assert first.modes[0] == file.parent.name


@pytest.mark.parametrize("file", RAISED, ids=_id)
def test_release_is_among_the_ones_named(file: Path) -> None:
    named = re.search(r"accelerate-([\d.]+)-", file.name)
    assert named is not None
    version = named[1]
    first = diagnose(file.read_text())[0]
    if first.located:
        assert version in first.releases
        # The index is worth having only if it narrows things down.
        assert len(first.releases) <= 4


def test_enough_of_them_were_raised_for_real() -> None:
    located = [file for file in RAISED if diagnose(file.read_text())[0].located]
    assert len(located) > 30


@pytest.mark.parametrize("file", RAISED, ids=_id)
def test_the_true_versions_never_rule_every_cause_out(file: Path) -> None:
    versions = dict(re.findall(r"(accelerate|torch|numpy)-([\d.]+\d)", file.name))
    first = diagnose(file.read_text(), versions)[0]
    assert any(weighed.verdict != "ruled out" for weighed in first.causes)


@pytest.mark.parametrize("mode", sorted(catalogue()))
def test_entry_is_complete(mode: str) -> None:
    entry = catalogue()[mode]
    assert entry.match
    assert entry.cause
    assert all(link.startswith("https://") for link in entry.links)
    assert all(cause.tell and cause.remedy for cause in entry.cause)
