"""expectations.toml as text: read, written, and what is said of a wrong one."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations import expectations_file, read_expectations
from ckptmatrix.knowledge.expectations.reading import read_file
from ckptmatrix.knowledge.expectations.writing import quoted, text_of
from tests.support.places import ROOT

GOOD = """\
# The head.
tier = "smoke"

# Above the first.
[[expectation]]  # opened
cause = "missing-step"  # caused
status = "failed"
message = '''^KeyError: 'step' #\\d'''
expires = 2027-06-30  # soon
cells = [  # where
    # above a region, with a } in it
    { writer = ">=0.32", scenario = ["basic", "!bf16"] },  # beside a region, with a } in it
    {},
    # below the last
]

[[expectation]]
status = "crashed"
message = "SIGSEGV"
reason = 'it says "no"'
link = "https://example.org/#1"
cells = [
    { stacks = "*-np1 -> *-np2" },
]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "expectations.toml"


def test_what_is_written_is_what_was_read(path: Path) -> None:
    path.write_text(GOOD)
    file = read_file(path)
    assert file.tier == "smoke"
    assert text_of(file) == GOOD
    path.write_text(text_of(file))
    assert read_file(path) == file
    assert text_of(read_file(path)) == text_of(file)


def test_a_tier_is_judged_by_a_file_of_its_own_where_it_has_one(tmp_path: Path) -> None:
    common, own = tmp_path / "expectations.toml", tmp_path / "expectations.sharded.toml"
    common.write_text(GOOD)
    assert expectations_file(tmp_path, "sharded") == common
    own.write_text(GOOD)
    assert expectations_file(tmp_path, "sharded") == own
    assert [expectations_file(tmp_path, tier) for tier in ("eras", "")] == [common, common]


def test_comments_elsewhere_are_kept_as_well(path: Path) -> None:
    path.write_text(
        GOOD.replace("status =", "# on the status\nstatus =", 1).replace(
            "]\n\n[[", "]\n# right behind\n\n# A heading.\n\n[["
        )
        + "\n# The end.\n"
    )
    text = text_of(read_file(path))
    assert "# Above the first.\n# on the status\n[[expectation]]" in text
    assert "]\n\n# right behind\n\n# A heading.\n\n[[expectation]]\nstatus" in text
    assert text.endswith("]\n\n# The end.\n")
    path.write_text(text)
    assert text_of(read_file(path)) == text


def test_a_file_without_expectations_is_kept(path: Path) -> None:
    path.write_text('# Only a head.\ntier = "smoke"\n')
    assert text_of(read_file(path)) == '# Only a head.\ntier = "smoke"\n'


def test_a_message_on_several_lines_is_read_and_written_on_one(path: Path) -> None:
    path.write_text(KNOWN.replace("'x'", "'''\na\nb'''") + "# here\n" + ALL + "# end")
    assert read_expectations(path).entries[0].message == "a\nb"
    text = text_of(read_file(path))
    assert text.startswith("# here\n[[expectation]]\n")
    assert 'message = "a\\nb"\n' in text
    assert text.endswith("]\n\n# end\n")


def test_the_values_are_those_of_the_toml(path: Path) -> None:
    path.write_text(GOOD)
    first, second = read_expectations(path).entries
    assert (first.cause, first.status, first.message) == (
        "missing-step",
        "failed",
        "^KeyError: 'step' #\\d",
    )
    assert [region.scenario for region in first.cells] == [("basic", "!bf16"), ("*",)]
    assert first.cells[0].writer == ">=0.32"
    assert second.cells[0].stacks == ("*-np1 -> *-np2",)
    assert second.why == 'it says "no"'


OPENED = "[[expectation]]\nstatus='failed'\n"
KNOWN = OPENED + "cause='missing-step'\nmessage='x'\n"
LOSS = "[[expectation]]\nstatus='degraded'\ncause='step-ignored'\n"
ALL = "cells=[\n{},\n]\n"
OWN_LINE = "cells: each region stands on a line of its own"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("\n[[expectation", "is not valid TOML"),
        ("\nteir = 'eras'", "line 2: teir: there are tier"),
        ("tier = 1", "line 1: tier"),
        (KNOWN, "line 1: cells: at least one region"),
        (KNOWN + "cells = [\n]", "line 5: cells: at least one region"),
        (KNOWN + "cells = [{}]", f"line 5: {OWN_LINE}"),
        (KNOWN + "cells = [\n{}, {},\n]", f"line 6: {OWN_LINE}"),
        (KNOWN + "cells = [\n{}]", f"line 6: {OWN_LINE}"),
        ("expectation = [{ status = 'failed' }]", "line 1: expectation: each stands below"),
        (KNOWN.replace("ng-step", "ng-stepp") + ALL, "line 3: cause: 'missing-stepp' is no known"),
        (KNOWN.replace("ng-step", "ng-stepp") + ALL, "did you mean 'missing-step'?"),
        (KNOWN + ALL + KNOWN.replace("missing-step", "x") + ALL, "line 10: cause: 'x' is no known"),
        (OPENED + "message='x'\n" + ALL, "line 1: cause: without one, a reason and a link"),
        (OPENED + "message='x'\nreason='r'\n" + ALL, "line 1: cause: without one"),
        (OPENED + "message='x'\nlink='r'\n" + ALL, "line 1: cause: without one"),
        (KNOWN.replace("failed", "flaky") + ALL, "line 2: status: 'flaky' is none of exact,"),
        (KNOWN.replace("'x'", "'('") + ALL, "line 4: message: it is no regular expression"),
        (KNOWN.replace("'x'", "''") + ALL, "line 4: message: one is needed"),
        (LOSS + "message='x'\ncells=[\n{lost='step'},\n]", "line 4: message: one cannot be"),
        (LOSS + "cells=[\n{unsaved='step'},\n]", "line 4: cells: nothing is lost"),
        (KNOWN + "cells=[\n{lost='step'},\n]", "line 5: cells: what is lost can be said of"),
        (KNOWN + "cells=[\n{},\n{reader='~~1'},\n]", "line 7: reader: Invalid specifier"),
        (KNOWN + "cells=[\n{},\n{reeder='1'},\n]", "line 7: reeder: Object contains unknown"),
        (KNOWN + "cells=[\n{scenario=1},\n]", "line 6: scenario: Expected `array`"),
        (KNOWN + "cells=[\n{stacks='*-np1'},\n]", "line 6: stacks: '*-np1' is not WRITER"),
        (KNOWN + "raeson='r'\n" + ALL, "line 5: raeson: Object contains unknown"),
        (KNOWN + "expires='soon'\n" + ALL, "line 5: expires"),
    ],
)
def test_a_wrong_file_is_told_with_line_key_and_remedy(path: Path, wrong: str, said: str) -> None:
    path.write_text(wrong)
    with pytest.raises(UsageError) as raised:
        read_expectations(path)
    assert said in raised.value.message
    assert raised.value.message.startswith("expectations.toml")
    assert raised.value.remedy


def test_none_are_expected_without_a_file(path: Path) -> None:
    assert read_expectations(path).entries == ()


@given(st.text())
def test_any_text_can_be_written(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate is no text of a file
        return
    assert tomllib.loads(f"x = {quoted(text)}")["x"] == text
    assert "\n" not in quoted(text)


def test_the_committed_file_is_short_and_has_reasons_and_links() -> None:
    path = ROOT / "expectations.toml"
    text = path.read_text(encoding="utf-8")
    file = read_file(path)
    assert text == text_of(file)
    assert len(text.splitlines()) < 600
    for entry in file.expectations.entries:
        assert entry.why
        assert entry.source.startswith(("https://", "docs/causes.md#"))
