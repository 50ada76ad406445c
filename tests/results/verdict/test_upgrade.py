"""The headline, what could be done instead, the way round and the way back."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ckptmatrix.model import CellRecord, ErrorRecord, Matrix, Status, Verdict
from ckptmatrix.results.findings.detours import Detour, detours
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.choices import ChoiceKind
from ckptmatrix.results.verdict.console import lines
from ckptmatrix.results.verdict.upgrade import Headline, Upgrade, judge
from tests.support import synthetic

BASIC = synthetic.matrix()
TWO = synthetic.matrix(["0.31.0", "0.33.0", "1.1.1", "1.15.0"], ["basic", "stateful-dataloader"])


def id_(release: str, stack: str) -> str:
    return f"accelerate-{release}+{stack}"


OLD, NEW = id_("1.14.0", "torch2.15-np2"), id_("1.15.0", "torch2.15-np2")
NUMPY_1, NUMPY_2 = id_("1.1.1", "torch2.4-np1"), id_("1.15.0", "torch2.15-np2")
ROUND = id_("0.24.1", "torch2.4-np1"), id_("0.33.0", "torch2.4-np1")
"""0.33.0 raises on what 0.24.1 saved."""


def several(*names: str, both: bool = False, **bad: Status) -> Matrix:
    """Scenarios that are exact between the two newest releases, but for some.

    `both`: whether those are as bad for who stays.
    """
    matrix = synthetic.matrix(["1.14.0", "1.15.0"], list(names))

    def altered(cell: CellRecord) -> CellRecord:
        plain = cell.loader == "accelerate" and cell.scenario in bad
        if plain and cell.writer == OLD and (cell.reader == NEW or (both and cell.reader == OLD)):
            return replace(cell, status=bad[cell.scenario], cause="numpy-major")
        return cell

    return replace(matrix, cells=tuple(map(altered, matrix.cells)))


def without_remedies(matrix: Matrix) -> Matrix:
    return replace(matrix, cells=tuple(c for c in matrix.cells if c.loader == "accelerate"))


def asked(
    matrix: Matrix, old: str, new: str, scenarios: Sequence[str] = (), exact: bool = False
) -> Upgrade:
    return judge(LoadIndex(matrix), old, new, scenarios, exact=exact)


def text(upgrade: Upgrade) -> str:
    return "\n".join(lines(upgrade))


def test_what_staying_breaks_as_well_does_not_stop_an_upgrade() -> None:
    upgrade = asked(several("basic", "hooks", both=True, hooks=Status.FAILED), OLD, NEW)
    assert (upgrade.headline, upgrade.headline.exit_code) == (Headline.GO, 0)
    assert text(upgrade).startswith("Go. Nothing gets worse.\n")
    assert "not its doing    hooks is not whole with what you have either" in text(upgrade)


def test_what_staying_breaks_in_another_way_is_the_upgrades_doing() -> None:
    """Degraded on both sides, and something is lost that was not lost before."""
    matrix = several("basic", both=True, basic=Status.DEGRADED)

    def lose(cell: CellRecord) -> CellRecord:
        if cell.loader != "accelerate" or cell.writer != OLD:
            return cell
        gone = "model" if cell.reader == NEW else "optimizer"
        return replace(cell, components={**cell.components, gone: Verdict.LOST})

    matrix = without_remedies(replace(matrix, cells=tuple(map(lose, matrix.cells))))
    upgrade = asked(matrix, OLD, NEW)
    assert (upgrade.headline, upgrade.forward.worse) == (Headline.DONT, ("basic",))
    assert upgrade.forward.as_before == ()
    assert "weights (model)" in text(upgrade)
    assert "optimizer" not in " ".join(sentences.is_lost(upgrade.forward))


def test_a_measured_remedy_makes_it_go_and_without_one_it_is_a_dont() -> None:
    matrix = several("basic", "hooks", hooks=Status.FAILED)
    upgrade = asked(matrix, OLD, NEW)
    assert (upgrade.headline, upgrade.headline.exit_code) == (Headline.GO_IF, 1)
    assert text(upgrade).startswith("Go, if you do this first: load with ckptmatrix.resume.\n")
    alone = asked(without_remedies(matrix), OLD, NEW)
    assert (alone.headline, alone.headline.exit_code) == (Headline.DONT, 1)
    assert text(alone).startswith("Don't: it breaks, and nothing measured helps.\n")


def test_a_remedy_that_mends_one_of_two_helps_only_in_part() -> None:
    matrix = several("basic", "hooks", basic=Status.FAILED, hooks=Status.FAILED)
    cells = tuple(
        replace(c, status=Status.FAILED) if (c.loader, c.scenario) == ("ckptmatrix", "hooks") else c
        for c in matrix.cells
    )
    upgrade = asked(replace(matrix, cells=cells), OLD, NEW)
    assert upgrade.headline is Headline.DONT
    assert [choice.leaves for choice in upgrade.choices] == [("hooks",), ("basic", "hooks")]
    assert "helps only in part" in sentences.headline(upgrade)


def test_a_remedy_that_breaks_what_is_whole_without_it_is_counted_worse() -> None:
    matrix = several("basic", "hooks", hooks=Status.FAILED)
    cells = tuple(
        replace(c, status=Status.FAILED) if (c.loader, c.scenario) == ("ckptmatrix", "basic") else c
        for c in matrix.cells
    )
    upgrade = asked(replace(matrix, cells=cells), OLD, NEW, ["hooks"])
    remedy, _ = upgrade.choices
    assert (remedy.helps, remedy.everything.worse) == (True, ("basic",))


def test_a_remedy_that_need_not_be_measured_is_as_the_plain_load_leaves_it() -> None:
    matrix = several("basic", "hooks", "accumulation", hooks=Status.FAILED)
    kept = tuple(c for c in matrix.cells if c.loader == "accelerate" or c.scenario == "hooks")
    remedy, _ = asked(replace(matrix, cells=kept), OLD, NEW).choices
    assert len(remedy.everything.measured) == len(remedy.chosen.exact) == 3


def test_changing_fewer_things_keeps_no_more_than_has_to_be_kept() -> None:
    upgrade = asked(BASIC, NUMPY_1, NUMPY_2, ["basic"])
    keep = [one for one in upgrade.choices if one.kind is ChoiceKind.KEEP]
    # 1.15.0 on the old torch would resume it as well, but keeps torch for nothing.
    assert [one.title for one in keep] == ["Keep numpy 1.26.4 for now"]
    assert keep[0].copy == "pip install accelerate==1.15.0 torch==2.15.0 numpy==1.26.4"
    assert keep[0].chosen.reader == id_("1.15.0", "torch2.15-np1")


def test_accelerate_may_be_what_is_kept() -> None:
    old, new = id_("0.31.0", "torch2.4-np1"), id_("0.33.0", "torch2.15-np1")
    cells = tuple(
        replace(c, status=Status.EXACT, components={})
        if (c.writer, c.reader) == (old, id_("0.31.0", "torch2.15-np1"))
        else c
        for c in BASIC.cells
    )
    upgrade = asked(replace(BASIC, cells=cells), old, new)
    assert upgrade.choices[0].title == "Keep accelerate 0.31.0 for now"


def test_what_could_be_done_but_was_not_measured_there_is_not_offered() -> None:
    unmeasured = id_("1.15.0", "torch2.15-np1")
    cells = tuple(
        replace(c, status=Status.NOT_RUN) if (c.writer, c.reader) == (NUMPY_1, unmeasured) else c
        for c in BASIC.cells
    )
    upgrade = asked(replace(BASIC, cells=cells), NUMPY_1, NUMPY_2)
    assert unmeasured not in [choice.chosen.reader for choice in upgrade.choices]


def test_to_require_exact_is_to_ask_for_more_than_no_worse() -> None:
    matrix = several("basic", "hooks", both=True, hooks=Status.FAILED)
    assert asked(matrix, OLD, NEW, exact=True).headline is Headline.GO_IF
    assert asked(without_remedies(matrix), OLD, NEW, exact=True).headline is Headline.DONT
    told = asked(matrix, OLD, NEW, ["basic"], exact=True)
    assert told.headline is Headline.GO
    assert sentences.headline(told) == "Go. Everything resumes exactly."


def test_what_is_not_measured_is_said_and_a_named_one_is_no_go() -> None:
    old, new = id_("0.31.0", "torch2.4-np1"), id_("1.15.0", "torch2.4-np1")
    every = asked(TWO, old, new)
    assert every.headline is Headline.GO
    assert sentences.counts(every.forward).endswith("1 not measured")
    assert "not measured     stateful-dataloader: unsupported: StatefulDataLoader came" in text(
        every
    )
    for names in (["stateful-dataloader"], ["basic", "stateful-dataloader"]):
        named = asked(TWO, old, new, names)
        assert (named.headline, named.headline.exit_code) == (Headline.NOT_MEASURED, 4)
        assert "StatefulDataLoader came with 0.34.0" in sentences.headline(named)


def test_the_way_back_is_compared_with_staying_too() -> None:
    old, new = id_("0.33.0", "torch2.15-np1"), id_("1.15.0", "torch2.15-np1")
    upgrade = asked(BASIC, old, new)
    assert upgrade.headline is Headline.GO
    assert upgrade.back.worse == ("basic",)
    assert sentences.way_back(upgrade).startswith("1 of 1 get worse by going back; KeyError")
    broken = several("basic", basic=Status.FAILED)
    cells = tuple(replace(c, status=Status.FAILED) if c.writer == NEW else c for c in broken.cells)
    back = sentences.way_back(asked(replace(broken, cells=cells), OLD, NEW))
    assert back.startswith("nothing gets worse by going back")


def test_a_load_that_restored_all_but_goes_on_otherwise_is_worse_than_exact() -> None:
    upgrade = asked(several("basic", basic=Status.DEGRADED), OLD, NEW)
    assert upgrade.forward.worse == ("basic",)
    assert sentences.differs(upgrade.forward) == "basic"
    assert sentences.is_lost(upgrade.forward) == ()


def test_a_way_round_is_offered_where_nothing_else_helps_and_every_hop_is_exact() -> None:
    matrix = without_remedies(BASIC)
    upgrade = asked(matrix, *ROUND)
    assert upgrade.headline is Headline.DONT
    assert upgrade.detour is not None
    first, *between, last = upgrade.detour.stops
    assert ((first, last), len(between)) == (ROUND, 1)
    status = {(c.writer, c.reader): c.status for c in matrix.cells}
    assert status[first, between[0]] is status[between[0], last] is Status.EXACT
    assert "the whole way not yet run" in " ".join(text(upgrade).split())


def test_a_way_round_that_a_real_run_confirms_is_something_to_do_first() -> None:
    index = LoadIndex(without_remedies(BASIC))
    second = detours(index, *ROUND, ("basic",))[1]

    def verify(matrix: Matrix, stops: tuple[str, ...], scenarios: tuple[str, ...]) -> Detour:
        assert scenarios == ("basic",)
        return Detour(stops, (), stops == second, "the first one failed")

    upgrade = judge(index, *ROUND, verify=verify)
    assert upgrade.detour == Detour(second, ("basic",), True, "the first one failed")
    assert upgrade.headline is Headline.GO_IF
    assert sentences.headline(upgrade) == "Go, if you do this first: go a way round."


def test_a_scenario_that_nothing_makes_whole_does_not_stand_in_the_way_of_the_others() -> None:
    matrix = without_remedies(synthetic.matrix(synthetic.ERAS, ["basic", "hooks"]))
    cells = tuple(
        replace(c, status=Status.FAILED, cause=None)
        if c.scenario == "hooks" and c.reader != ROUND[0]
        else c
        for c in matrix.cells
    )
    upgrade = asked(replace(matrix, cells=cells), *ROUND)
    assert upgrade.detour is not None
    assert upgrade.detour.scenarios == ("basic",)


def test_no_way_round_where_the_reader_fails_on_everything() -> None:
    new = id_("0.33.0", "torch2.15-np1")
    assert detours(LoadIndex(BASIC), id_("1.15.0", "torch2.15-np1"), new, ("basic",)) == []


@pytest.mark.parametrize(
    ("escape", "shown"),
    [("\x1b[1mdo this\x1b[0m\x1b[2J", "do this"), ("do \x07this", r"do \x07this")],
)
def test_what_a_terminal_would_obey_does_not_reach_it(escape: str, shown: str) -> None:
    matrix = several("basic", basic=Status.FAILED)
    error = ErrorRecord("OSError", escape)
    cells = tuple(replace(c, error=error) if c.status is Status.FAILED else c for c in matrix.cells)
    told = text(asked(replace(matrix, cells=cells), OLD, NEW))
    assert f"OSError: {shown}" in told
    assert "\x1b" not in told
    assert "\x07" not in told


def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    matrix = several("basic", "hooks", basic=Status.FAILED, hooks=Status.DEGRADED)
    error = ErrorRecord("OSError", "some words " * 50)
    cells = tuple(replace(c, error=error) if c.status is Status.FAILED else c for c in matrix.cells)
    told = text(asked(replace(matrix, cells=cells), OLD, NEW)).splitlines()
    copied = {one.copy for one in asked(matrix, OLD, NEW).choices}
    assert max(len(line) for line in told if line.strip() not in copied) <= 60
    assert any("some words some words…" in line or "…" in line for line in told)
