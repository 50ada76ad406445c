"""The committed expectations against the committed run of the tier that they are written for."""

from collections import Counter
from dataclasses import replace
from datetime import date
from functools import cached_property
from random import Random

import pytest

from ckptmatrix.knowledge.expectations import (
    Expectations,
    judged_by_expectations,
    read_expectations,
)
from ckptmatrix.knowledge.expectations.expectation import NOT_BACK, Expectation
from ckptmatrix.knowledge.expectations.judging import with_ends
from ckptmatrix.model import (
    MEASURED,
    CellRecord,
    ErrorRecord,
    FirstDifference,
    Matrix,
    Resume,
    Status,
    Verdict,
)
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import ROOT, SAMPLE

TODAY = date(2026, 11, 1)
CHANGES = 300
"""Cells that are changed in each way."""


class World:
    """The run and what is expected of it; reading them takes seconds."""

    @cached_property
    def matrix(self) -> Matrix:
        return read_matrix(SAMPLE)

    @cached_property
    def known(self) -> Expectations:
        return read_expectations(ROOT / "expectations.toml")

    @cached_property
    def bad(self) -> list[int]:
        found = enumerate(self.matrix.cells)
        return [n for n, one in found if one.status in MEASURED and one.status != Status.EXACT]

    @cached_property
    def degraded(self) -> list[int]:
        return [n for n in self.bad if self.matrix.cells[n].status == Status.DEGRADED]

    @cached_property
    def ends(self) -> list[tuple[CellRecord, object, object]]:
        return list(with_ends(self.matrix))

    def expected(self, number: int, cell: CellRecord) -> bool | None:
        _, writer, reader = self.ends[number]
        return self.known.judged(cell, writer, reader, TODAY).expected  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_nothing_is_unexpected_and_nothing_stale(world: World) -> None:
    assert world.matrix.run.tier == world.known.tier
    after = judged_by_expectations(world.matrix, world.known, world.known.tier, TODAY)
    assert not [one for one in after.cells if one.expected is False]
    assert not after.problems


def passed(cell: CellRecord, random: Random) -> CellRecord:
    components = dict.fromkeys(cell.components, Verdict.RESTORED)
    return replace(
        cell,
        status=Status.EXACT,
        components=components,
        resume=Resume(True),
        error=None,
        cause=None,
    )


def other_status(cell: CellRecord, random: Random) -> CellRecord:
    return replace(cell, status=random.choice([one for one in MEASURED if one != cell.status]))


def other_cause(cell: CellRecord, random: Random) -> CellRecord:
    others = {"numpy-major", "step-ignored", "loud-refusal", None} - {cell.cause}
    return replace(cell, cause=random.choice(sorted(others, key=str)))


def other_message(cell: CellRecord, random: Random) -> CellRecord:
    error = cell.error or ErrorRecord("", "")
    said = random.choice(
        [
            replace(error, type="RuntimeError", message="something else"),
            replace(error, message="x" + error.message),
            None,
        ]
    )
    return replace(cell, error=said)


def other_verdict(cell: CellRecord, random: Random) -> CellRecord:
    name = random.choice(sorted(cell.components))
    before = cell.components[name]
    seen = [one for one in Verdict if one != before and {one, before} & set(NOT_BACK)]
    return replace(cell, components={**cell.components, name: random.choice(seen)})


def one_component_less(cell: CellRecord, random: Random) -> CellRecord:
    names = sorted(name for name, found in cell.components.items() if found in NOT_BACK)
    gone = random.choice(names) if names else ""
    left = {name: found for name, found in cell.components.items() if name != gone}
    return replace(cell, components=left) if names else other_verdict(cell, random)


def other_difference(cell: CellRecord, random: Random) -> CellRecord:
    found = cell.resume and cell.resume.first_difference
    names = {"samples", "loss", "lr", ""} - {found.quantity if found else ""}
    name = random.choice(sorted(names))
    first = FirstDifference(1, name, "", "") if name else None
    return replace(cell, resume=Resume(not name, first))


@pytest.mark.parametrize("change", [passed, other_status, other_cause])
def test_a_bad_cell_that_changes_is_noticed(world: World, change) -> None:  # type: ignore[no-untyped-def]
    every_change_is_noticed(world, world.bad, change)


def test_another_message_is_noticed(world: World) -> None:
    raised = [n for n in world.bad if world.matrix.cells[n].error]
    every_change_is_noticed(world, raised, other_message)


@pytest.mark.parametrize("change", [other_verdict, one_component_less, other_difference])
def test_another_loss_is_noticed(world: World, change) -> None:  # type: ignore[no-untyped-def]
    every_change_is_noticed(world, world.degraded, change)


def test_a_good_cell_that_turns_bad_is_noticed(world: World) -> None:
    cells = world.matrix.cells
    good = [n for n, one in enumerate(cells) if one.status == Status.EXACT]
    random = Random(1)
    for number in random.sample(good, CHANGES):
        like = cells[random.choice(world.bad)]
        at = cells[number]
        turned = replace(
            like,
            writer=at.writer,
            reader=at.reader,
            scenario=at.scenario,
            loader=at.loader,
            treatment=at.treatment,
        )
        assert world.expected(number, turned) is False, turned


def every_change_is_noticed(world: World, numbers: list[int], change) -> None:  # type: ignore[no-untyped-def]
    random = Random(change.__name__)
    for number in random.sample(numbers, CHANGES):
        cell = world.matrix.cells[number]
        assert world.expected(number, cell) is True
        changed = change(cell, random)
        assert world.expected(number, changed) is False, (cell, changed)


def test_a_region_whose_cells_come_out_otherwise_is_stale(world: World) -> None:
    """One region after the other, all its cells turned exact."""
    speaking: dict[int, list[int]] = {}
    for number, (cell, writer, reader) in enumerate(world.ends):
        region = world.known.speaks(cell, writer, reader)  # type: ignore[arg-type]
        if region is not None and cell.status in MEASURED:
            speaking.setdefault(region, []).append(number)
    assert len(speaking) == len(world.known.regions), "a region speaks for nothing"
    random = Random(2)
    cells = list(world.matrix.cells)
    chosen = random.sample(sorted(speaking), 12)
    for region in chosen:
        for number in speaking[region]:
            cells[number] = passed(cells[number], random)
    _, stale = world.known.judged_all(replace(world.matrix, cells=tuple(cells)), TODAY)
    assert stale == set(chosen)


def test_each_cause_of_the_run_is_expected_somewhere(world: World) -> None:
    found = Counter(one.cause for one in world.matrix.cells if one.cause)
    entries: tuple[Expectation, ...] = world.known.entries
    assert {entry.cause for entry in entries} == set(found)
