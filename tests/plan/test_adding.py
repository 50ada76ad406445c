"""New releases written into `matrix.toml`: in order, with everything else as it was."""

import difflib
import tomllib

import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.adding import add_releases
from tests.support.places import ROOT

INDEX = ("1.14.0", "1.15.0", "1.16.0", "1.17.0")


def tier(accelerate: str) -> str:
    return f"# head\n[tiers.some]  # tier\naccelerate = {accelerate}\nstacks = ['*']\n"


def changed(old: str, new: str) -> list[str]:
    lines = difflib.ndiff(old.splitlines(keepends=True), new.splitlines(keepends=True))
    return [line for line in lines if line.startswith(("+ ", "- "))]


def test_the_projects_own_file() -> None:
    text = (ROOT / "matrix.toml").read_text(encoding="utf-8")
    before = tomllib.loads(text)
    added = add_releases(text, ("1.15.0", "2.1.0", "2.0.0"))
    after = tomllib.loads(added.text)
    assert added.releases == ("2.0.0", "2.1.0")
    assert "full" in added.left
    assert added.tiers
    for name in added.tiers:
        releases = before["tiers"][name]["accelerate"]
        assert after["tiers"][name].pop("accelerate") == [*releases, "2.0.0", "2.1.0"]
        del before["tiers"][name]["accelerate"]
    assert after == before
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments == [line for line in added.text.splitlines() if line.startswith("#")]
    assert len(changed(text, added.text)) == 2 * len(added.tiers), "only the lists' last lines"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('["1.15.0"]', '["1.15.0", "1.16.0", "1.17.0"]'),
        ('[ "1.9.0", "1.15.0" ]', '[ "1.9.0", "1.15.0", "1.16.0", "1.17.0" ]'),
        ('[\n  "1.15.0",\n]', '[\n  "1.15.0",\n  "1.16.0",\n  "1.17.0",\n]'),
        (
            '[\n    "1.9.0", "1.15.0",  # newest\n]',
            '[\n    "1.9.0", "1.15.0",  # newest\n    "1.16.0", "1.17.0",\n]',
        ),
        (
            '[\n    "1.9.0",  # old\n    "1.15.0"  # new\n    # end\n]',
            '[\n    "1.9.0",  # old\n    "1.15.0",  # new\n    # end\n    "1.16.0", "1.17.0",\n]',
        ),
        ('["1.15.0", "1.9.0"]', '["1.17.0","1.16.0","1.15.0", "1.9.0"]'),
        (
            '[\n  "1.15.0",  # newest\n  "1.9.0",\n]',
            '[\n  "1.17.0",\n  "1.16.0",\n  "1.15.0",  # newest\n  "1.9.0",\n]',
        ),
    ],
)
def test_lists_keep_their_layout_comments_and_order(old: str, new: str) -> None:
    added = add_releases(tier(old), INDEX)
    assert added.text == tier(new)
    assert added.tiers == ("some",)


def test_line_ends_stay() -> None:
    text = tier('[\n  "1.15.0",\n]').replace("\n", "\r\n")
    added = add_releases(text, INDEX).text
    assert '"1.17.0"' in added
    assert [line for line in added.splitlines() if line.startswith("#")] == ["# head"]
    assert [line for line in added.split("\r\n") if line in text.split("\r\n")] == (
        text.split("\r\n")
    )


def test_a_tier_that_ends_before_the_newest_was_meant_to() -> None:
    text = tier('["1.15.0"]') + '[tiers.old]\naccelerate = ["0.33.0"]\n'
    text += '[tiers.none]\naccelerate = []\n[tiers.all]\naccelerate = ">=0.10"\n'
    added = add_releases(text, INDEX)
    assert added.tiers == ("some",)
    assert "ends before 1.15.0" in added.left["old"]
    assert "ends before 1.15.0" in added.left["none"]
    assert "follows the index" in added.left["all"]


def test_nothing_new_changes_nothing() -> None:
    text = tier('["1.15.0",   "1.16.0","1.17.0"]')
    added = add_releases(text, INDEX)
    assert (added.text, added.tiers, added.releases) == (text, (), ())
    again = add_releases(add_releases(tier('["1.15.0"]'), INDEX).text, INDEX)
    assert again.releases == ()
    only = '[tiers.all]\naccelerate = ">=0.10"\n'
    assert add_releases(only, INDEX).text == only


def test_a_layout_that_would_come_to_harm_is_refused() -> None:
    odd = '[\n  "1.9.0"\n  # before the comma\n  ,\n  "1.15.0"  # newest\n  ,# end\n]'
    with pytest.raises(UsageError, match=r"\[tiers\.some\].* 1\.16\.0, 1\.17\.0 ") as error:
        add_releases(tier(odd), INDEX)
    assert "by hand" in error.value.remedy
