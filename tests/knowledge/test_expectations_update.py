"""--update-expectations: afterwards the file is true for the run, and only for it."""

from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ckptmatrix.knowledge.expectations import judged_by_expectations, read_expectations
from ckptmatrix.knowledge.expectations.expectation import ExpectedRegion
from ckptmatrix.knowledge.expectations.regions import scenario_patterns, stack_patterns
from ckptmatrix.knowledge.expectations.update import Update, signature, update
from ckptmatrix.model import CellRecord, Matrix, Status, Treatment
from tests.support.cells import cell
from tests.support.runs import RELEASES, STACKS, run_of

SCENARIOS = ("basic", "mid-epoch", "mid-epoch-stateful")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "expectations.toml"


def settled(path: Path, matrix: Matrix) -> Matrix:
    return judged_by_expectations(matrix, read_expectations(path), "eras", date(2026, 1, 1))


def updated(path: Path, matrix: Matrix, tier: str = "eras") -> tuple[int, int, int]:
    done = update(path, matrix, tier)
    return done.kept, done.added, done.dropped


def outcome(
    kind: int, writer: str, reader: str, scenario: str = "basic", treatment: str = "as-saved"
) -> CellRecord:
    found = cell(writer, reader, scenario=scenario)
    if kind == 1:
        found = cell(writer, reader, "failed", (), "KeyError: 'step'", "missing-step", scenario)
    elif kind == 2:
        found = cell(writer, reader, "degraded", ("rng.numpy",), "", "numpy-major", scenario)
    elif kind == 3:
        found = cell(writer, reader, "degraded", ("step",), "", "numpy-major", scenario)
    elif kind == 4:
        found = cell(writer, reader, "failed", (), "OSError: 5 of 7", "missing-step", scenario)
    elif kind == 5:
        found = cell(writer, reader, "degraded", ("step",), "", "step-ignored", scenario)
    elif kind == 6:
        found = cell(writer, reader, "not-run", scenario=scenario)
    return replace(found, treatment=Treatment(treatment))


ENDS = [f"{release}+{stack}" for stack in STACKS[1:] for release in RELEASES[:3]]
PLACES = list(product(ENDS, ENDS, SCENARIOS, ("as-saved", "repaired")))
KINDS = st.lists(st.integers(0, 6), min_size=len(PLACES), max_size=len(PLACES))


@settings(max_examples=15, deadline=None, phases=[Phase.generate])  # a run shrinks for minutes
@given(KINDS, KINDS, st.booleans())
def test_afterwards_the_file_is_true(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[int], later: list[int], alike: bool
) -> None:
    """Also where another run came before, which differs in nearly all cells or in a few."""
    path = tmp_path_factory.mktemp("e") / "expectations.toml"
    if alike:
        later = [*later[:5], *kinds[5:]]
    for found in (kinds, later):
        matrix = run_of(*(outcome(k, *place) for k, place in zip(found, PLACES, strict=True)))
        update(path, matrix, "eras")
        after = settled(path, matrix)
        assert all(one.expected is not False for one in after.cells)
        assert not after.problems
        text = path.read_text()
        _, added, dropped = updated(path, matrix)
        assert (added, dropped) == (0, 0)
        assert path.read_text() == text


@settings(max_examples=15, deadline=None, phases=[Phase.generate])  # a run shrinks for minutes
@given(KINDS, KINDS)
def test_a_smaller_run_is_true_afterwards_and_leaves_other_scenarios(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[int], later: list[int]
) -> None:
    path = tmp_path_factory.mktemp("e") / "expectations.toml"
    whole = run_of(*(outcome(k, *place) for k, place in zip(kinds, PLACES, strict=True)))
    update(path, whole, "eras")
    mine = [(k, p) for k, p in zip(later, PLACES, strict=True) if p[2] == "mid-epoch"]
    smaller = run_of(*(outcome(k, *place) for k, place in mine))
    update(path, smaller, "smoke")
    assert all(one.expected is not False for one in settled(path, smaller).cells)
    for one in settled(path, whole).cells:
        assert one.scenario == "mid-epoch" or one.expected is not False


def failing(writers: tuple[str, ...], readers: tuple[str, ...], scenario: str) -> list[CellRecord]:
    """Every combination: those between these releases fail, the others are exact."""
    return [
        outcome(int(w in writers and r in readers), f"{w}+{s}", f"{r}+{t}", scenario)
        for w, r, s, t in product(RELEASES, RELEASES, STACKS, STACKS)
    ]


def test_a_region_is_told_in_few_words(path: Path) -> None:
    cells = [
        *failing(RELEASES[:2], RELEASES[2:3], "basic"),
        *failing(RELEASES[:2], RELEASES[2:3], "bf16"),
        *failing((), (), "mid-epoch"),
    ]
    assert updated(path, run_of(*cells)) == (0, 1, 0)
    assert path.read_text().endswith(
        "[[expectation]]\n"
        'cause = "missing-step"\n'
        'status = "failed"\n'
        "message = \"^KeyError: 'step'$\"\n"
        "cells = [\n"
        '    { writer = "<=0.31.0", reader = "==0.33.0", scenario = "!mid-epoch" },\n'
        "]\n"
    )


def test_a_region_of_a_smaller_run_names_what_was_measured(path: Path) -> None:
    path.write_text('tier = "eras"\n')
    cells = [one for one in failing(RELEASES[:2], RELEASES[2:], "basic") if "np2" not in one.reader]
    update(path, run_of(*cells), "smoke")
    (entry,) = read_expectations(path).entries
    (region,) = entry.cells
    assert (region.writer, region.reader) == (">=0.24.1,<=0.31.0", ">=0.33.0,<=1.15.0")
    assert region.scenario == ("basic",)
    assert all("*" not in pair for pair in region.stacks)


@pytest.mark.parametrize("whole", [True, False])
def test_a_new_file_is_for_the_tier_that_ran(path: Path, whole: bool) -> None:
    update(path, run_of(*failing(RELEASES[:2], RELEASES[2:], "basic")), "mine", whole)
    assert read_expectations(path).tier == "mine"


def test_a_region_is_open_where_nothing_was_measured(path: Path) -> None:
    """Such as releases that cannot be installed on one of the stacks."""
    cells = [
        outcome(6 if w == "0.24.1" or r == "1.15.0" else 1, f"{w}+{STACKS[0]}", f"{r}+{STACKS[0]}")
        for w, r in product(RELEASES, RELEASES)
    ]
    cells += [
        outcome(6 if w == "0.24.1" or r == "1.15.0" else 0, f"{w}+{STACKS[1]}", f"{r}+{STACKS[0]}")
        for w, r in product(RELEASES, RELEASES)
    ]
    update(path, run_of(*cells), "eras")
    (entry,) = read_expectations(path).entries
    (region,) = entry.cells
    assert (region.writer, region.reader) == ("", "")
    assert region.stacks == ("torch2.4-* -> *",)


def test_what_is_common_is_simple_as_what_is_rare_comes_first(path: Path) -> None:
    cells = [
        outcome(2 if r == "1.0.1" else 3, f"{w}+{STACKS[0]}", f"{r}+{STACKS[0]}")
        for w, r in product(RELEASES, RELEASES)
    ]
    update(path, run_of(*cells), "eras")
    (entry,) = read_expectations(path).entries
    assert [(one.reader, one.lost) for one in entry.cells] == [
        ("==1.0.1", ("rng.numpy",)),
        ("", ("step",)),
    ]


def test_what_raised_comes_before_what_was_lost(path: Path) -> None:
    """Each in the order of the causes, in which `scheduler-not-saved` comes last of these."""
    cells = [
        outcome(2, f"{RELEASES[0]}+{STACKS[0]}", f"1.15.0+{STACKS[0]}"),
        cell(status="failed", error="OSError: no", cause="scheduler-not-saved"),
        outcome(1, f"{RELEASES[1]}+{STACKS[0]}", f"1.15.0+{STACKS[0]}"),
        outcome(5, f"{RELEASES[3]}+{STACKS[0]}", f"1.15.0+{STACKS[0]}"),
    ]
    update(path, run_of(*cells), "eras")
    causes = [entry.cause for entry in read_expectations(path).entries]
    assert causes == ["missing-step", "scheduler-not-saved", "numpy-major", "step-ignored"]


HAND_WRITTEN = """\
# The head.
tier = "eras"

# About the cause.
[[expectation]]
cause = "missing-step"  # which it is
status = "failed"
message = 'step'
link = 'https://example.org/of-my-own'
cells = [
    # why this one
    { reader = "==0.33.0", writer = "<1.15" },
    { reader = "==1.0.1" },  # gone
]

[[expectation]]
cause = "missing-step"
status = "failed"
message = 'step'
reason = "words of my own"
cells = [
    { reader = "==0.33.0", writer = "==1.15.0" },
]
"""


def test_what_a_person_wrote_stays_and_what_no_longer_holds_goes(path: Path) -> None:
    path.write_text(HAND_WRITTEN)
    exact = (f"{w}+{STACKS[0]}" for w in RELEASES)
    matrix = run_of(
        *(outcome(1, f"{w}+{STACKS[0]}", f"0.33.0+{STACKS[0]}") for w in RELEASES),
        *(outcome(0, w, f"1.0.1+{STACKS[0]}") for w in exact),
    )
    assert updated(path, matrix) == (2, 0, 1)
    text = path.read_text()
    for kept in ("# The head.", "# About the", "# which it is", "# why this one", "of-my-own"):
        assert kept in text
    assert "# gone" not in text
    assert "words of my own" in text


def test_a_reason_of_a_persons_own_is_given_to_no_other_cell(path: Path) -> None:
    path.write_text('tier = "eras"\n\n' + HAND_WRITTEN[HAND_WRITTEN.rindex("[[exp") :])
    matrix = run_of(*(outcome(1, f"{w}+{STACKS[0]}", f"0.33.0+{STACKS[0]}") for w in RELEASES))
    assert updated(path, matrix) == (1, 1, 0)
    reasons = Counter(one.expectation for one in settled(path, matrix).cells)
    assert reasons.pop("words of my own") == 1
    assert reasons.total() == len(RELEASES) - 1


def test_the_order_of_the_file_stays(path: Path) -> None:
    cells = [outcome(k, f"{RELEASES[k]}+{STACKS[0]}", f"1.15.0+{STACKS[0]}") for k in (2, 1, 0)]
    update(path, run_of(*cells), "eras")
    head, first, second = path.read_text().split("[[expectation]]")
    path.write_text("[[expectation]]".join([head, second + "\n", first]))
    assert updated(path, run_of(*cells)) == (2, 0, 0)
    causes = [entry.cause for entry in read_expectations(path).entries]
    assert causes == ["numpy-major", "missing-step"]


def test_an_outcome_without_a_known_cause_is_not_recorded(path: Path) -> None:
    matrix = run_of(cell(status="failed", error="OSError: strange"), outcome(1, *ENDS[:2]))
    assert update(path, matrix, "eras") == Update(kept=0, added=1, dropped=0, unexplained=1)
    assert [one.expected for one in settled(path, matrix).cells] == [False, True]


def test_one_that_a_person_has_written_down_stays(path: Path) -> None:
    path.write_text(
        "[[expectation]]\nstatus = 'failed'\nmessage = 'strange'\nreason = 'r'\nlink = 'l'\n"
        "cells = [\n    {},\n]\n"
    )
    strange = cell(status="failed", error="OSError: strange")
    assert update(path, run_of(strange), "eras") == Update(1, 0, 0, 0)
    assert settled(path, run_of(strange)).cells[0].expected is True
    assert update(path, run_of(cell()), "eras") == Update(0, 0, 1, 0)


def test_a_run_of_less_than_the_tier_takes_its_scenario_out(path: Path) -> None:
    regions = ("'basic'", "['basic', 'bf16']", "'*'", "'!bf16'", "'mid*'")
    for number, scenario in enumerate(regions):
        region = f"    {{ reader = '==0.3{number}', scenario = {scenario} }},\n"
        path.write_text((path.read_text() if number else ENTRY) + region)
    path.write_text(path.read_text() + "]\n")
    readers = [f"0.3{number}" for number in range(len(regions))]
    matrix = run_of(*(cell() for _ in readers))
    ends = {
        reader: replace(matrix.environments[cell().reader], accelerate=reader) for reader in readers
    }
    matrix = replace(
        matrix,
        environments=matrix.environments | ends,
        cells=tuple(replace(cell(), reader=reader) for reader in readers),
    )
    assert updated(path, matrix, "") == (1, 3, 4)
    (entry,) = read_expectations(path).entries
    assert [region.scenario for region in entry.cells] == [
        ("bf16",),
        ("!basic",),
        ("!bf16", "!basic"),
        ("mid*",),
    ]


ENTRY = """\
[[expectation]]
cause = "missing-step"
status = "failed"
message = "x"
cells = [
"""


@pytest.mark.parametrize(
    ("needed", "allowed", "patterns"),
    [
        ("a b-1 b-2 c", "a b-1 b-2 c", ("*",)),
        ("a", "a b-1 b-2 c", ("*",)),
        ("b-1 b-2", "b-1 b-2 c", ("b*",)),
        ("a b-1 b-2", "a b-1 b-2", ("!c",)),
        ("b-1 c", "b-1 c", ("b-1", "c")),
        ("a c", "a c", ("!b*",)),
    ],
)
def test_scenarios_in_short(needed: str, allowed: str, patterns: tuple[str, ...]) -> None:
    every = ("a", "b-1", "b-2", "c")
    assert scenario_patterns(set(needed.split()), set(allowed.split()), every) == patterns


def test_stacks_are_parted_by_how_they_begin_and_end() -> None:
    found = stack_patterns(STACKS)
    assert found["torch2.15-*"] == set(STACKS[1:])
    assert found["*-np1"] == set(STACKS[:2])
    assert found["*"] == set(STACKS)
    assert found[STACKS[0]] == {STACKS[0]}


def test_stacks_on_a_gpu_are_parted_by_themselves() -> None:
    on_gpu = {f"{name}+cuda" for name in STACKS}
    found = stack_patterns([*STACKS, *on_gpu])
    assert found["*"] == set(STACKS)
    assert found["*+cuda"] == on_gpu
    assert found["*-np1+cuda"] == {f"{name}+cuda" for name in STACKS[:2]}
    for pattern, taken in found.items():
        region = ExpectedRegion(stacks=(f"{pattern} -> {pattern}",))
        assert taken == {one for one in [*STACKS, *on_gpu] if region.allows("stacks", (one, one))}


def test_a_message_is_written_with_its_numbers_open() -> None:
    pattern = signature(cell(status=Status.FAILED, error="OSError: [Errno 2] no a.b (3)"))
    assert pattern == r"^OSError: \[Errno \d+\] no a\.b \(\d+\)$"
    long = signature(cell(status=Status.FAILED, error="OSError: " + "x" * 100))
    assert long == "^OSError: " + "x" * 81
