"""The verdict of one upgrade, the remedy, the way round and the way back."""

from dataclasses import replace

import pytest

from ckptmatrix.errors import NotMeasuredError, UsageError
from ckptmatrix.model import CellRecord, ErrorRecord, Matrix, Status, Verdict
from ckptmatrix.results.findings.advice import advise, resolve
from ckptmatrix.results.findings.crossing import Safety
from ckptmatrix.results.findings.detours import Detour, detours
from ckptmatrix.results.findings.wording import advice_lines, verdict
from tests.support import synthetic

MATRIX = synthetic.matrix()
TWO = synthetic.matrix(["0.31.0", "0.33.0", "1.1.1", "1.15.0"], ["basic", "stateful-dataloader"])


def id_(release: str, stack: str) -> str:
    return f"accelerate-{release}+{stack}"


def text(matrix: Matrix, old: str, new: str) -> str:
    return "\n".join(advice_lines(matrix, advise(matrix, old, new)))


def test_a_safe_upgrade_says_what_comes_back_and_that_the_way_back_fails() -> None:
    told = text(MATRIX, id_("0.33.0", "torch2.13-np1"), id_("1.15.0", "torch2.13-np1"))
    assert told.startswith("Safe: accelerate 0.33.0 into 1.15.0 on torch2.13-np1 resumes exactly")
    assert "comes back whole   model, optimizer" in told
    assert "the way back       Not safe: accelerate 1.15.0 into 0.33.0" in told


def test_a_silent_loss_names_the_components_the_cause_and_the_measured_remedy() -> None:
    advice = advise(MATRIX, id_("1.1.1", "torch2.13-np1"), id_("1.15.0", "torch2.13-np2"))
    assert advice.forward.answer is Safety.UNSAFE
    assert set(advice.forward.lost) == {"rng.python", "rng.numpy", "rng.torch", "step"}
    assert advice.forward.causes == ("numpy-major",)
    assert [remedy.view.title for remedy in advice.remedies] == ["With ckptmatrix.resume"]
    assert advice.already == ()


def test_a_remedy_that_helps_some_scenarios_says_how_many() -> None:
    old, new = id_("1.1.1", "torch2.13-np1"), id_("1.15.0", "torch2.13-np2")
    cells = tuple(
        replace(c, status=Status.FAILED, cause=None)
        if (c.writer, c.reader, c.scenario) == (old, new, "stateful-dataloader")
        else c
        for c in TWO.cells
    )
    told = text(replace(TWO, cells=cells), old, new)
    assert "1 of the 2 scenarios that are not exact without it resume exactly (basic)" in told


def test_what_is_lost_today_already_is_not_blamed_on_the_upgrade() -> None:
    advice = advise(MATRIX, id_("0.31.0", "torch2.13-np2"), id_("1.0.1", "torch2.13-np2"))
    assert set(advice.already) == {"rng.python", "rng.numpy", "rng.torch"}
    told = "\n".join(advice_lines(MATRIX, advice))
    assert "(lost without the upgrade as well)" in told
    assert "against staying    no different" in told


def test_what_the_upgrade_makes_worse_and_better_is_named() -> None:
    worse = text(MATRIX, id_("1.1.1", "torch2.13-np1"), id_("1.15.0", "torch2.13-np2"))
    assert "against staying    worse in basic\n" in worse
    better = text(MATRIX, id_("0.33.0", "torch2.13-np1"), id_("1.0.1", "torch2.13-np1"))
    assert "against staying    better in basic\n" in better


def several(*names: str, **bad: Status) -> Matrix:
    """Give scenarios that are exact between the two newest releases, but for some."""
    matrix = synthetic.matrix(["1.14.0", "1.15.0"], list(names))
    cells = tuple(
        replace(c, status=bad[c.scenario], cause="numpy-major")
        if c.scenario in bad and c.loader == "accelerate"
        else c
        for c in matrix.cells
    )
    return replace(matrix, cells=cells)


OLD, NEW = id_("1.14.0", "torch2.13-np2"), id_("1.15.0", "torch2.13-np2")


def test_a_verdict_over_many_scenarios_says_whether_staying_is_any_better() -> None:
    matrix = several("basic", "hooks", "accumulation", hooks=Status.FAILED)
    told = text(matrix, OLD, NEW)
    assert told.startswith("Not safe, but no worse than staying: accelerate 1.14.0 into 1.15.0")
    assert "  a plain training   resumes exactly (scenario basic)\n" in told
    assert "  not its doing      hooks: Random states of another numpy major" in told
    assert "  fails  " not in told


def test_what_the_upgrade_alone_breaks_is_told_in_full_and_the_rest_in_short() -> None:
    matrix = several("basic", "hooks", "accumulation", hooks=Status.FAILED)
    error = ErrorRecord("OSError", "x" * 500)
    cells = tuple(
        replace(c, status=Status.FAILED, error=error)
        if (c.writer, c.reader, c.scenario, c.loader) == (OLD, NEW, "basic", "accelerate")
        else c
        for c in matrix.cells
    )
    told = text(replace(matrix, cells=cells), OLD, NEW)
    assert told.startswith("Not safe: ")
    assert "fails in 2 of 3 measured scenarios; 1 of these 2 are no better without" in told
    [line] = [line for line in told.splitlines() if line.startswith("  fails ")]
    assert line.endswith("… in basic")
    assert len(line) < 200
    assert "  not its doing      hooks: " in told


def test_one_scenario_alone_is_told_in_full_whoever_is_to_blame() -> None:
    matrix = several("basic", "hooks", hooks=Status.FAILED)
    told = "\n".join(advice_lines(matrix, advise(matrix, OLD, NEW, ["hooks"])))
    assert "  fails              failed in hooks\n" in told
    assert "  remedy             Repair the checkpoint" in told
    assert "a plain training" not in told


def test_losing_more_than_by_staying_is_worse_even_if_both_are_degraded() -> None:
    matrix = several("basic", basic=Status.DEGRADED)
    more = {"model": Verdict.LOST, "optimizer": Verdict.LOST}

    def lose(cell: CellRecord) -> CellRecord:
        if cell.loader != "accelerate" or cell.writer != OLD:
            return cell
        return replace(cell, components=more if cell.reader == NEW else {"model": Verdict.LOST})

    advice = advise(replace(matrix, cells=tuple(map(lose, matrix.cells))), OLD, NEW)
    assert advice.worse == advice.by_upgrade == ("basic",)


def test_a_remedy_is_counted_where_the_plain_load_is_not_exact() -> None:
    """A run measures remedies only there, so their exact loads are no rivals of today's."""
    matrix = several("basic", "hooks", "accumulation", "two-models", hooks=Status.FAILED)
    kept = tuple(c for c in matrix.cells if c.loader == "accelerate" or c.scenario == "hooks")
    [remedy] = advise(replace(matrix, cells=kept), OLD, NEW).remedies
    assert (remedy.makes_exact, remedy.of, remedy.harms) == (("hooks",), 1, ())


def test_a_remedy_that_breaks_what_is_exact_without_it_says_so() -> None:
    matrix = several("basic", "hooks", hooks=Status.FAILED)
    cells = tuple(
        replace(c, status=Status.FAILED) if (c.loader, c.scenario) == ("ckptmatrix", "basic") else c
        for c in matrix.cells
    )
    assert "; but no longer exact in basic" in text(replace(matrix, cells=cells), OLD, NEW)


def test_colours_of_a_message_do_not_reach_the_terminal() -> None:
    matrix = several("basic", basic=Status.FAILED)
    error = ErrorRecord("OSError", "\x1b[1mdo this\x1b[0m\x1b[2J")
    cells = tuple(replace(c, error=error) if c.status is Status.FAILED else c for c in matrix.cells)
    told = text(replace(matrix, cells=cells), OLD, NEW)
    assert "OSError: do this in basic" in told
    assert "\x1b" not in told


def test_a_failure_offers_a_way_round_whose_every_hop_is_exact() -> None:
    old, new = id_("0.24.1", "torch2.4-np1"), id_("0.33.0", "torch2.4-np1")
    advice = advise(MATRIX, old, new)
    assert advice.forward.raised == {"basic": "KeyError: 'step'"}
    assert advice.detour is not None
    assert advice.detour.verified is None
    first, *between, last = advice.detour.stops
    assert (first, last, len(between)) == (old, new, 1)
    status = {(c.writer, c.reader): c.status for c in MATRIX.cells if c.loader == "accelerate"}
    assert status[first, between[0]] is status[between[0], last] is Status.EXACT
    assert "the whole way not yet run" in "\n".join(advice_lines(MATRIX, advice))


def test_a_way_round_is_the_first_that_a_real_run_confirms() -> None:
    old, new = id_("0.24.1", "torch2.4-np1"), id_("0.33.0", "torch2.4-np1")
    second = detours(MATRIX, old, new, ("basic",))[1]

    def verify(matrix: Matrix, stops: tuple[str, ...], scenarios: tuple[str, ...]) -> Detour:
        assert scenarios == ("basic",)
        return Detour(stops, (), stops == second, "the first one failed")

    found = advise(MATRIX, old, new, verify=verify).detour
    assert found == Detour(second, ("basic",), True, "the first one failed")


def test_a_scenario_that_nothing_can_make_whole_does_not_stand_in_the_way_of_the_others() -> None:
    matrix = synthetic.matrix(synthetic.ERAS, ["basic", "hooks"])
    cells = tuple(
        replace(c, status=Status.FAILED, cause=None) if c.scenario == "hooks" else c
        for c in matrix.cells
    )
    old, new = id_("0.24.1", "torch2.4-np1"), id_("0.33.0", "torch2.4-np1")
    advice = advise(replace(matrix, cells=cells), old, new)
    assert advice.detour is not None
    assert advice.detour.scenarios == ("basic",)
    told = "\n".join(advice_lines(matrix, advice))
    assert "exact in 1 of 2 scenarios (each hop" in told


def test_no_way_round_where_the_reader_fails_on_everything() -> None:
    new = id_("0.33.0", "torch2.13-np1")
    assert detours(MATRIX, id_("1.15.0", "torch2.13-np1"), new, ("basic",)) == []


def test_what_is_not_measured_is_said_and_does_not_count_as_safe() -> None:
    one = advise(TWO, id_("0.31.0", "torch2.4-np1"), id_("1.15.0", "torch2.4-np1"))
    assert one.forward.answer is Safety.SAFE
    assert "1 of 2 scenarios; 1 not measured" in verdict(TWO, one.forward)
    asked = advise(
        TWO, id_("0.31.0", "torch2.4-np1"), id_("1.15.0", "torch2.4-np1"), ["stateful-dataloader"]
    )
    assert asked.forward.answer is Safety.UNKNOWN
    assert "StatefulDataLoader came with 0.34.0" in verdict(TWO, asked.forward)


def test_what_a_load_that_raised_left_behind_is_not_called_lost_in_silence() -> None:
    old, new = id_("0.24.1", "torch2.4-np1"), id_("0.33.0", "torch2.4-np1")
    cells = tuple(
        replace(c, components={"model": Verdict.RESTORED, "custom": Verdict.LOST})
        if (c.writer, c.reader) == (old, new)
        else c
        for c in MATRIX.cells
    )
    forward = advise(replace(MATRIX, cells=cells), old, new).forward
    assert (forward.lost, forward.whole) == ({}, ())
    assert "silently" not in verdict(MATRIX, forward)


def test_a_load_that_restored_all_but_went_on_otherwise_is_not_safe() -> None:
    old, new = id_("0.33.0", "torch2.4-np1"), id_("1.15.0", "torch2.4-np1")
    cells = tuple(
        replace(c, status=Status.DEGRADED) if (c.writer, c.reader) == (old, new) else c
        for c in MATRIX.cells
    )
    advice = advise(replace(MATRIX, cells=cells), old, new)
    assert advice.forward.answer is Safety.UNSAFE
    assert advice.forward.drifts == ("basic",)
    assert "silently loses state in 1" in verdict(MATRIX, advice.forward)


def test_without_a_stack_the_newest_that_has_both_is_taken() -> None:
    assert resolve(MATRIX, "1.14.0", None, "1.15.0") == id_("1.14.0", "torch2.13-np2")
    assert resolve(MATRIX, "0.33.0", None, "1.15.0") == id_("0.33.0", "torch2.13-np1")
    assert resolve(MATRIX, "1.15.0", None, "0.33.0") == id_("1.15.0", "torch2.13-np1")


def test_what_cannot_be_resolved_is_told_with_a_remedy() -> None:
    with pytest.raises(NotMeasuredError, match=r"0\.28\.0 is not among the tested") as caught:
        resolve(MATRIX, "0.28.0", None)
    assert "--accelerate 0.28.0" in caught.value.remedy
    assert "between 0.25.0 and 0.31.0, which write alike" in caught.value.remedy
    with pytest.raises(NotMeasuredError, match=r"asks for numpy<2\.0\.0 itself"):
        resolve(MATRIX, "0.33.0", "torch2.13-np2")
    with pytest.raises(UsageError, match="no stack 'torch9'"):
        resolve(MATRIX, "0.33.0", "torch9")
