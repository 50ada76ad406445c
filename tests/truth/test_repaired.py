"""`repair` says what its copies don't bring back: compared with every repaired cell of a run.

Both ways: what was not restored was said, and what was said was not restored. The
checkpoints are the committed fixtures, or those of the run itself, where they are at hand.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from packaging.version import Version

from ckptmatrix.checkpoint.repair import RepairOptions
from ckptmatrix.checkpoint.repair.limits import Limit, ScriptTrait, limits_of
from ckptmatrix.checkpoint.repair.readers import EVERY
from ckptmatrix.checkpoint.repair.repair_plan import RepairPlan, make
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.model import MEASURED, CheckpointRecord, Status
from tests.support.places import fixture_of, of_the_run
from tests.truth.measured import GIVEN, RUN, Cell

SCRIPTS = {
    "accumulation-aligned": (ScriptTrait.ACCUMULATES,),
    "assign": (ScriptTrait.PASSES_ASSIGN,),
    "compiled-to-plain": (ScriptTrait.COMPILES_NO_MORE,),
    "custom-objects-fewer": (ScriptTrait.OTHER_OBJECTS,),
    "custom-objects-more": (ScriptTrait.OTHER_OBJECTS,),
    "ddp-2-from-1": (ScriptTrait.MORE_PROCESSES,),
    "ddp-2-main-only": (ScriptTrait.MORE_PROCESSES,),
    "empty-buffers": (ScriptTrait.VIEWS,),
    "partial-view": (ScriptTrait.PARTIAL_TENSORS,),
    "plain-to-compiled": (ScriptTrait.COMPILES,),
    "shared-views": (ScriptTrait.PARTIAL_TENSORS, ScriptTrait.VIEWS),
    "tied-weights": (ScriptTrait.TIES_WEIGHTS,),
}
"""Scenario -> what its script does."""

EVERY_SCRIPT = (ScriptTrait.PREPARES_SCHEDULER,)

TIED = {"tied-weights": {"decoder.weight": "encoder.weight"}}
"""What `--tied` is given for a fixture; a run keeps what its writer saw."""


def _met(limit: Limit, scenario: str) -> bool:
    return limit.trait in (None, *EVERY_SCRIPT, *SCRIPTS.get(scenario, ()))


def _raises(limit: Limit) -> bool:
    return not limit.loses


def _covers(limits: list[Limit], cell: Cell) -> bool:
    """Whether all that this cell did not bring back was said."""
    if cell.status is Status.FAILED:
        return any(_raises(one) for one in limits)
    names = {name.partition("@")[0] for one in limits for name in one.loses}
    return cell.named("lost", "wrong") <= names


def _comes_true(one: Limit, cell: Cell) -> bool:
    if _raises(one):
        return cell.status is Status.FAILED
    if cell.status is Status.FAILED:
        return True
    verdicts = [
        verdict
        for ranked, verdict in cell.components.items()
        for name in one.loses
        if ranked == name or (name.endswith("@N") and ranked.startswith(name[:-1]))
    ]
    return not {"restored"} & set(verdicts)


def _tied(record: CheckpointRecord, directory: Path) -> dict[str, str]:
    stamp = directory.parent / "written.json"
    if stamp.exists():
        return dict(msgspec.json.decode(stamp.read_bytes())["tied"])
    safetensors = (directory / "model.safetensors").exists()
    return TIED.get(record.scenario, {}) if safetensors else {}


Place = Callable[[CheckpointRecord], Path | None]
Teller = Callable[[RepairPlan], list[Limit]]


def compared(place: Place, tell: Teller = limits_of) -> Iterator[tuple[Cell, list[Limit] | str]]:
    """Each repaired cell with the limits that its reader and script meet, or why none was made."""
    said: dict[tuple[str, str], list[Limit] | str] = {}
    for record in RUN.head.checkpoints:
        directory = place(record) if record.status == "written" else None
        if directory is None:
            continue
        try:
            plan = make(directory, RepairOptions(tied=_tied(record, directory)))
            said[record.writer, record.scenario] = tell(plan)
        except CkptmatrixError as error:
            said[record.writer, record.scenario] = error.message
    for cell in RUN.cells("accelerate", "repaired"):
        limits = said.get((cell.writer, cell.scenario))
        reader = RUN.head.environments[cell.reader]
        if limits is None or Version(reader.accelerate) < Version("0.15.0"):
            continue
        if isinstance(limits, str):
            yield cell, limits
        elif cell.status in MEASURED:
            versions = reader.accelerate, reader.torch
            met = [o for o in limits if o.readers.include(*versions) and _met(o, cell.scenario)]
            yield cell, met


def disagreements(place: Place, tell: Teller = limits_of) -> Iterator[str]:
    """One line for each cell compared: empty if it came out as said."""
    for cell, here in compared(place, tell):
        ends = f"{cell.scenario}: {cell.writer} -> {cell.reader} {cell.status} "
        if isinstance(here, str):
            yield "" if "repair refuses it" in cell.reason else ends + f"refused: {here}"
        elif not _covers(here, cell):
            found = cell.error.message if cell.error else cell.named("lost", "wrong")
            yield ends + f"not said: {found}"
        else:
            false = [o.what for o in here if o.certain and not _comes_true(o, cell)]
            yield ends + f"said in vain: {false}" if false else ""


def _compare(place: Place) -> None:
    lines = Counter(disagreements(place))
    agreeing = lines.pop("", 0)
    if not agreeing and not lines:
        pytest.skip("this run has no repaired cell of a checkpoint that is at hand")
    by_kind: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        by_kind[line.split(" -> ")[0].split(":")[0]].append(line)
    assert {kind: (len(found), found[0]) for kind, found in by_kind.items()} == {}


def test_fixtures_come_out_as_said() -> None:
    _compare(fixture_of)


@pytest.mark.environments
def test_the_checkpoints_of_a_run_come_out_as_said() -> None:
    _compare(of_the_run)


@pytest.mark.skipif(GIVEN is not None, reason="another run may have no repaired cell")
def test_what_is_not_said_would_be_noticed() -> None:
    def silent(plan: RepairPlan) -> list[Limit]:
        return [one for one in limits_of(plan) if one.loses != ("step",)]

    assert any("not said: {'step'}" in line for line in disagreements(fixture_of, silent))


@pytest.mark.skipif(GIVEN is not None, reason="another run may have no repaired cell")
def test_what_is_said_in_vain_would_be_noticed() -> None:
    def gloomy(plan: RepairPlan) -> list[Limit]:
        return [*limits_of(plan), Limit(EVERY, "raises", "", "", CauseId.LOUD_REFUSAL)]

    assert any("said in vain: ['raises']" in line for line in disagreements(fixture_of, gloomy))


@pytest.mark.skipif(GIVEN is not None, reason="another run may have no repaired cell")
def test_limits_name_the_cause_that_was_measured() -> None:
    named = [
        (cell.cause, {limit.cause for limit in here})
        for cell, here in compared(fixture_of)
        # The place in a shuffled epoch is in no file: nothing that a repair could speak of.
        if cell.cause not in (None, CauseId.SEEDABLE_SAMPLER) and not isinstance(here, str)
    ]
    assert len({cause for cause, _ in named}) > 1
    assert [cause for cause, said in named if cause not in said] == []
