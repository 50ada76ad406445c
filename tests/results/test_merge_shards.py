"""Merging: a real run taken apart and put together is that run; what does not fit is refused."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptmatrix.cli import cli
from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations.update import update
from ckptmatrix.model import (
    MEASURED,
    CellRecord,
    ControlsResult,
    Environment,
    Matrix,
    Problem,
    ProblemKind,
    ShardRecord,
    Treatment,
)
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.planning import make_plan
from ckptmatrix.plan.selection import Selection
from ckptmatrix.plan.shards import deal
from ckptmatrix.results.assemble import with_causes
from ckptmatrix.results.matrix_file import compact, expanded
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.merge_shards import merge
from ckptmatrix.results.report import write_reports
from tests.support.places import BASIC_RUN, ROOT

PLAN = make_plan(read_config(ROOT / "matrix.toml"), Selection("eras", scenarios=("basic",)))
SAMPLE = read_matrix(BASIC_RUN)
RUN = with_causes(replace(SAMPLE, problems=()))
"""A real run of every release of a tier, with the causes that this version finds."""

Found = dict[str, Matrix]


def apart(shards: int) -> Found:
    """The run as so many machines would have left it."""
    whole = ShardRecord(
        0,
        shards,
        "plan",
        "sources",
        tuple(environment.id for environment in PLAN.environments),
        ("accelerate",),
        len(PLAN.cells),
    )
    found = {}
    for number, hand in enumerate(deal(PLAN, shards), start=1):
        readers = {reader.id for reader in hand}
        found[f"shard-{number}"] = replace(
            RUN,
            run=replace(RUN.run, shard=replace(whole, number=number), measured=number),
            cells=tuple(
                replace(cell, cause=None, expected=None)
                for cell in RUN.cells
                if cell.reader in readers
            ),
            causes={},
            controls=tuple(one for one in RUN.controls if one.environment in readers),
        )
    return found


def refused(found: Found) -> str:
    with pytest.raises(UsageError) as error:
        merge(found)
    assert error.value.remedy
    return error.value.message


def bare(cell: CellRecord) -> CellRecord:
    return replace(cell, expected=None, expectation="")


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 45), st.randoms())
def test_apart_and_together_is_the_run(shards: int, random: Random) -> None:
    found = list(apart(shards).items())
    random.shuffle(found)
    merged = merge(dict(found))
    assert [bare(cell) for cell in merged.cells] == [bare(cell) for cell in RUN.cells]
    assert list(merged.environments.items()) == list(RUN.environments.items())
    assert merged.checkpoints == RUN.checkpoints
    assert merged.causes == RUN.causes
    assert sorted(merged.controls, key=str) == sorted(RUN.controls, key=str)
    assert merged.run == replace(RUN.run, measured=sum(range(1, shards + 1)))


def test_what_a_reader_added_stays_beside_its_cell() -> None:
    found = apart(3)
    extra = {}
    for name, one in found.items():
        cells = []
        for cell in one.cells:
            cells.append(cell)
            if cell.status == "degraded":
                cells.append(replace(cell, loader="ckptmatrix"))
                cells.append(replace(cell, treatment=Treatment.REPAIRED))
        extra[name] = replace(one, cells=tuple(cells))
    merged = merge(extra)
    plain = [
        cell for cell in merged.cells if (cell.loader, cell.treatment) == ("accelerate", "as-saved")
    ]
    assert [bare(cell) for cell in plain] == [bare(cell) for cell in merge(found).cells]
    for first, second in zip(merged.cells, merged.cells[1:], strict=False):
        if first in plain and first.status == "degraded":
            assert second.loader == "ckptmatrix"


def test_a_missing_shard_is_a_hole() -> None:
    found = apart(4)
    del found["shard-2"], found["shard-4"]
    message = refused(found)
    assert "a hole" in message
    assert "2/4, 4/4" in message


def test_the_same_shard_twice_is_an_overlap() -> None:
    found = apart(3)
    found["again"] = found["shard-2"]
    assert "shard-2 and again both are shard 2/3" in refused(found)


def test_a_reader_in_two_shards_is_an_overlap() -> None:
    found = apart(2)
    moved = found["shard-1"].cells[0]
    found["shard-2"] = replace(found["shard-2"], cells=(*found["shard-2"].cells, moved))
    message = refused(found)
    assert "an overlap" in message
    assert moved.reader in message


@pytest.mark.parametrize("place", [0, 7, -1])
def test_a_missing_cell_is_a_hole(place: int) -> None:
    found = apart(3)
    cells = list(found["shard-3"].cells)
    del cells[place]
    found["shard-3"] = replace(found["shard-3"], cells=tuple(cells))
    assert "of the plan's 2025 cells there are 2024" in refused(found)


def test_an_added_cell_does_not_hide_a_hole() -> None:
    found = apart(3)
    first, *others = found["shard-3"].cells
    remedy = replace(others[0], loader="ckptmatrix")
    found["shard-3"] = replace(found["shard-3"], cells=(*others, remedy, others[0]))
    assert "2025 cells there are 2024" in refused(found)
    assert first.reader == others[0].reader


def run_of(**changed: Any) -> Callable[[Matrix], Matrix]:
    return lambda one: replace(one, run=replace(one.run, **changed))


def shard_of(**changed: Any) -> Callable[[Matrix], Matrix]:
    def change(one: Matrix) -> Matrix:
        assert one.run.shard
        shard = replace(one.run.shard, **changed)
        return replace(one, run=replace(one.run, shard=shard))

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (run_of(tier="smoke"), "is of tier eras, shard-2 smoke"),
        (run_of(tool_version="9"), "is of ckptmatrix 0.1.0, shard-2 9"),
        (run_of(device="cuda"), "was measured on cpu, shard-2 cuda"),
        (shard_of(of=4), "is one of 3, shard-2 4"),
        (shard_of(plan="other"), "is of the plan plan, shard-2 other"),
        (shard_of(sources="other"), "was measured by the code sources, shard-2 other"),
        (run_of(shard=None), "shard-2 is no shard"),
    ],
)
def test_shards_of_different_plans_are_refused(
    change: Callable[[Matrix], Matrix], told: str
) -> None:
    found = apart(3)
    found["shard-2"] = change(found["shard-2"])
    assert told in refused(found)


NEWEST = Environment("1.15.0", "torch2.15-np2").id
PACKAGES = RUN.environments[NEWEST].packages


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"packages": (*PACKAGES[1:], "numpy==9")}, f"{PACKAGES[0]}, numpy==9"),
        ({"python": "3.11.99"}, "3.11.99"),
        ({"status": "unavailable", "reason": "no network"}, "no network"),
    ],
)
def test_environments_that_differ_are_refused(changed: dict[str, Any], told: str) -> None:
    found = apart(3)
    record = replace(RUN.environments[NEWEST], **changed)
    environments = {**RUN.environments, NEWEST: record}
    found["shard-3"] = replace(found["shard-3"], environments=environments)
    message = refused(found)
    assert f"the environment {NEWEST} is not the same in shard-1 and in shard-3" in message
    assert told in message


def test_checkpoints_that_differ_are_refused() -> None:
    found = apart(3)
    first, *others = RUN.checkpoints
    changed = replace(first, files={**first.files, "more.bin": 1})
    found["shard-3"] = replace(found["shard-3"], checkpoints=(changed, *others))
    assert f"the checkpoint {first.writer} / basic is not the same" in refused(found)


@pytest.mark.parametrize("gone", ["environments", "checkpoints"])
def test_what_cells_need_and_no_shard_describes_is_a_hole(gone: str) -> None:
    found = apart(2)
    empty: Any = {} if gone == "environments" else ()
    found = {n: replace(one, **{gone: empty}) for n, one in found.items()}
    assert "a hole: no shard describes" in refused(found)


def test_a_failed_control_stays_failed() -> None:
    found = apart(3)
    name = next(name for name, one in found.items() if one.controls)
    first, *others = found[name].controls
    failed = replace(first, passed=False, detail="it was not seen")
    run = replace(found[name].run, controls=ControlsResult.FAILED)
    found[name] = replace(found[name], run=run, controls=(failed, *others))
    merged = merge(found)
    assert merged.run.controls == "failed"
    assert [one for one in merged.controls if not one.passed] == [failed]


def test_a_release_that_any_shard_knew_of_is_out() -> None:
    found = apart(3)  # the third could not ask the index
    known: list[dict[str, tuple[str, ...]]] = [
        {"torch": ("2.9.0", "2.14.0"), "numpy": ()},
        {"torch": ("2.10.0", "2.14.0"), "numpy": (), "python": ("3.14",)},
        {},
    ]
    found = {
        name: run_of(newer_packages=packages)(one)
        for (name, one), packages in zip(found.items(), known, strict=True)
    }
    assert merge(found).run.newer_packages == {
        "torch": ("2.9.0", "2.10.0", "2.14.0"),
        "numpy": (),
        "python": ("3.14",),
    }


def test_what_failed_in_ckptmatrix_itself_is_kept_and_old_problems_are_not() -> None:
    found = apart(2)
    itself = Problem(ProblemKind.HARNESS_FAILED, "basic/a/b was never measured")
    unknown = Problem(ProblemKind.OTHER, "an earlier version's words")
    expired = Problem(ProblemKind.EXPECTATION_EXPIRED, "on 2020-01-01: x")
    stale = Problem(ProblemKind.EXPECTATION_STALE, "x")
    problems = (expired, itself, stale, unknown)
    found["shard-1"] = replace(found["shard-1"], problems=problems)
    assert merge(found).problems == (itself, unknown)


@pytest.fixture
def shards(tmp_path: Path) -> list[str]:
    """A merge of the whole tier as it is called: a folder, a packed file, a plain one."""
    found = [shard_of(tier="eras")(one) for one in apart(3).values()]
    folder, packed, plain = (tmp_path / name for name in ("one", "two.json.gz", "three.json"))
    folder.mkdir()
    (folder / "matrix.json.gz").write_bytes(compact.encode(found[0]))
    packed.write_bytes(gzip.compress(expanded.encode(found[1])))
    plain.write_bytes(expanded.encode(found[2]))
    return [str(folder), str(packed), str(plain)]


def command(shards: list[str], tmp_path: Path) -> Result:
    places = ("--config", str(tmp_path / "matrix.toml"), "-o", str(tmp_path / "out"))
    return CliRunner().invoke(cli, ["merge", *shards, *places])


def test_the_command_judges_the_whole_by_expectations(shards: list[str], tmp_path: Path) -> None:
    known = tmp_path / "expectations.toml"
    assert update(known, RUN, "eras").unexplained == 0
    ended = command(shards, tmp_path)
    assert ended.exit_code == 0, ended.output
    merged = read_matrix(tmp_path / "out")
    assert len(merged.cells) == 2025
    assert all(cell.expected for cell in merged.cells if cell.status in MEASURED)
    assert {one.name for one in (tmp_path / "out").iterdir()} >= {"index.html", "matrix.md"}

    # No shard can know it, the whole does: nothing matches this one any more.
    with known.open("a") as file:
        file.write(
            '[[expectation]]\nstatus = "timeout"\nmessage = "x"\nreason = "known"\nlink = "x"\n'
            'cells = [\n    { reader = "==9.9" },\n]\n'
        )
    ended = command(shards, tmp_path)
    assert ended.exit_code == 1
    merged = read_matrix(tmp_path / "out")
    assert all(cell.expected for cell in merged.cells if cell.status in MEASURED)
    (problem,) = merged.problems
    assert problem.kind is ProblemKind.EXPECTATION_STALE
    assert "nothing matches any more" in problem.text


def test_the_command_refuses_and_writes_nothing(shards: list[str], tmp_path: Path) -> None:
    for wrong in (
        shards[:2],
        [*shards, shards[0]],
        [*shards[:2], str(BASIC_RUN)],
    ):
        ended = command(wrong, tmp_path)
        assert isinstance(ended.exception, UsageError)
        assert ended.exception.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_failed_control_ends_with_3(shards: list[str], tmp_path: Path) -> None:
    path = Path(shards[2])
    failed = replace(RUN.controls[0], passed=False)
    one = run_of(controls=ControlsResult.FAILED)(replace(read_matrix(path), controls=(failed,)))
    path.write_bytes(expanded.encode(one))
    assert command(shards, tmp_path).exit_code == 3


def test_a_shard_says_that_it_is_one(tmp_path: Path) -> None:
    shard = next(iter(apart(3).values()))
    write_reports(shard, tmp_path)
    for name in ("matrix.md", "index.html"):
        assert "eras, shard 1/3 alone" in (tmp_path / name).read_text("utf-8")
    assert read_matrix(tmp_path).run.shard == shard.run.shard
