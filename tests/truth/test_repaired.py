"""`repair` foretells what its copies don't bring back: compared with every repaired cell of a run.

Both ways: what was not restored was foretold, and what was foretold was not restored. The
checkpoints are the committed fixtures, or those of the run itself, where they are at hand.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from packaging.version import Version

from ckptmatrix.checkpoint.repair import Options
from ckptmatrix.checkpoint.repair.limit import EVERY, Foretold
from ckptmatrix.checkpoint.repair.limits import foretell
from ckptmatrix.checkpoint.repair.repair_plan import Plan, make
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.model import MEASURED, CheckpointRecord, Status
from tests.support.places import fixture_of, of_the_run
from tests.truth.measured import GIVEN, RUN, Cell

SCRIPTS = {
    "accumulation-aligned": ("accumulates gradients",),
    "assign": ("assign=True",),
    "compiled-to-plain": ("is not compiled any more",),
    "custom-objects-fewer": ("objects for checkpointing",),
    "custom-objects-more": ("objects for checkpointing",),
    "ddp-2-from-1": ("more than 1 process",),
    "ddp-2-main-only": ("more than 1 process",),
    "empty-buffers": ("several buffers are empty",),
    "partial-view": ("only a part of its storage",),
    "plain-to-compiled": ("is compiled before prepare",),
    "shared-views": ("only a part of its storage", "different views of one storage"),
    "tied-weights": ("ties weights",),
}
"""Scenario -> what its script does, in the words of the foretelling."""

EVERY_SCRIPT = ("prepares a scheduler",)

TIED = {"tied-weights": {"decoder.weight": "encoder.weight"}}
"""What `--tied` is given for a fixture; a run keeps what its writer saw."""


def _met(told: Foretold, scenario: str) -> bool:
    phrases = (*EVERY_SCRIPT, *SCRIPTS.get(scenario, ()))
    return not told.script or any(phrase in told.script for phrase in phrases)


def _raises(told: Foretold) -> bool:
    return not told.loses


def _covers(told: list[Foretold], cell: Cell) -> bool:
    """Whether all that this cell did not bring back was foretold."""
    if cell.status is Status.FAILED:
        return any(_raises(one) for one in told)
    names = {name.partition("@")[0] for one in told for name in one.loses}
    return cell.named("lost", "wrong") <= names


def _comes_true(one: Foretold, cell: Cell) -> bool:
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
Teller = Callable[[Plan], list[Foretold]]


def disagreements(place: Place, tell: Teller = foretell) -> Iterator[str]:
    """One line for each cell compared: empty if it came out as foretold."""
    told: dict[tuple[str, str], list[Foretold] | str] = {}
    for record in RUN.head.checkpoints:
        directory = place(record) if record.status == "written" else None
        if directory is None:
            continue
        try:
            plan = make(directory, Options(tied=_tied(record, directory)))
            told[record.writer, record.scenario] = tell(plan)
        except CkptmatrixError as error:
            told[record.writer, record.scenario] = error.message
    for cell in RUN.cells("accelerate", "repaired"):
        foretold = told.get((cell.writer, cell.scenario))
        reader = RUN.head.environments[cell.reader]
        if foretold is None or Version(reader.accelerate) < Version("0.15.0"):
            continue
        ends = f"{cell.scenario}: {cell.writer} -> {cell.reader} {cell.status} "
        if isinstance(foretold, str):
            yield "" if "repair refuses it" in cell.reason else ends + f"refused: {foretold}"
        elif cell.status in MEASURED:
            here = [
                one
                for one in foretold
                if one.readers.include(reader.accelerate, reader.torch) and _met(one, cell.scenario)
            ]
            if not _covers(here, cell):
                found = cell.error.message if cell.error else cell.named("lost", "wrong")
                yield ends + f"not foretold: {found}"
            else:
                false = [o.what for o in here if o.certain and not _comes_true(o, cell)]
                yield ends + f"foretold in vain: {false}" if false else ""


def _compare(place: Place) -> None:
    lines = Counter(disagreements(place))
    agreeing = lines.pop("", 0)
    if not agreeing and not lines:
        pytest.skip("this run has no repaired cell of a checkpoint that is at hand")
    by_kind: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        by_kind[line.split(" -> ")[0].split(":")[0]].append(line)
    assert {kind: (len(found), found[0]) for kind, found in by_kind.items()} == {}


def test_fixtures_come_out_as_foretold() -> None:
    _compare(fixture_of)


@pytest.mark.environments
def test_the_checkpoints_of_a_run_come_out_as_foretold() -> None:
    _compare(of_the_run)


@pytest.mark.skipif(GIVEN is not None, reason="another run may have no repaired cell")
def test_what_is_not_foretold_would_be_noticed() -> None:
    def silent(plan: Plan) -> list[Foretold]:
        return [told for told in foretell(plan) if told.loses != ("step",)]

    assert any("not foretold: {'step'}" in line for line in disagreements(fixture_of, silent))


@pytest.mark.skipif(GIVEN is not None, reason="another run may have no repaired cell")
def test_what_is_foretold_in_vain_would_be_noticed() -> None:
    def gloomy(plan: Plan) -> list[Foretold]:
        return [*foretell(plan), Foretold(EVERY, "raises", "", "")]

    assert any("foretold in vain: ['raises']" in line for line in disagreements(fixture_of, gloomy))
