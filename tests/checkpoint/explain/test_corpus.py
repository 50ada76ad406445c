"""The corpus: every failure is the one that it is, whatever its layout, and nothing else is."""

import re
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix.checkpoint.explain.answers import Answer, Diagnosis
from ckptmatrix.checkpoint.explain.catalogue import catalogue
from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from ckptmatrix.checkpoint.explain.failures import Failure
from ckptmatrix.checkpoint.explain.matching import recognised
from ckptmatrix.checkpoint.explain.traces import read_trace
from ckptmatrix.checkpoint.explain.weighing import Likelihood
from ckptmatrix.cli.explain import EXIT_CODES
from tests.checkpoint.explain.corpus import (
    FILES,
    LOGGED,
    Input,
    examples,
    in_layouts,
    name_of,
    near_misses,
    reported,
)
from tests.support.places import ROOT

RAISED = [file for file in FILES if "--accelerate-" in file.name]
GENERAL = {"pickle-refused", "invalid-load-key"}
"""Modes that a message alone is of; which file it was, and so which narrower mode, frames say."""


def _first(one: Input) -> Diagnosis:
    return diagnose(one.text)[0]


def test_every_mode_has_an_example_and_a_near_miss() -> None:
    assert {file.parent.name for file in FILES} == set(catalogue())
    assert {one.name for one in near_misses()} == {f"not {id_}" for id_ in catalogue()}


@pytest.mark.parametrize("one", examples(), ids=lambda one: one.name)
def test_an_example_is_its_mode_and_no_other(one: Any) -> None:
    first = _first(one)
    assert first.modes == (one.mode,)
    assert first.answer is one.answer
    assert EXIT_CODES[first.answer] == 0
    shown = tuple(w.cause.id for w in first.causes if w.verdict is Likelihood.SHOWN)
    assert shown == one.causes


def test_every_layout_says_the_same() -> None:
    """Mode and release do not hang on how a traceback was pasted."""
    plain = {one.name.rpartition(" as ")[0]: one for one in in_layouts() if "as python" in one.name}
    wrong = {}
    for one in in_layouts():
        first, other = _first(one), _first(plain[one.name.rpartition(" as ")[0]])
        if first.modes != (one.mode,) or first.answer is not Answer.KNOWN:
            wrong[one.name] = first.modes
        elif not set(other.origin.releases) <= set(first.origin.releases):
            wrong[one.name] = first.origin.releases
    assert wrong == {}


@pytest.mark.parametrize("one", reported(), ids=lambda one: one.name)
def test_a_report_is_what_it_is(one: Any) -> None:
    first = _first(one)
    assert (first.answer, first.modes) == (one.answer, (one.mode,) if one.mode else ())


@pytest.mark.parametrize("one", near_misses(), ids=lambda one: one.name)
def test_a_near_miss_is_not_taken_for_it(one: Any) -> None:
    first = _first(one)
    assert (first.answer, first.modes[:1]) == (one.answer, (one.mode,) if one.mode else ())


def _failures() -> list[tuple[str, Failure]]:
    found = []
    for one in examples():
        failures = [f for f in read_trace(one.text).failures if one.mode in recognised(f).modes]
        found += [(one.mode, failure) for failure in failures[-1:]]
    return found


def test_no_mode_takes_the_messages_of_another() -> None:
    """With its frames a failure is its own mode's alone, without them never another one's."""
    checked = 0
    for mode, failure in _failures():
        assert recognised(failure).modes == (mode,)
        bare = recognised(Failure(failure.type, failure.message))
        assert set(bare.modes) <= {mode, *GENERAL}
        checked += 1
    assert checked > 130


def test_no_mode_is_left_out_of_that() -> None:
    told_by_logs = {id_ for id_, mode in catalogue().items() if all(m.log for m in mode.match)}
    assert {mode for mode, _ in _failures()} | told_by_logs | set(LOGGED) >= set(catalogue())


@pytest.mark.parametrize("file", RAISED, ids=name_of)
def test_release_is_among_the_ones_named(file: Path) -> None:
    named = re.search(r"accelerate-([\d.]+)-", file.name)
    assert named
    version = named[1]
    origin = diagnose(file.read_text())[0].origin
    if origin.located:
        assert version in origin.releases


def test_the_index_narrows_things_down() -> None:
    found = [diagnose(file.read_text())[0].origin for file in RAISED]
    counts = sorted(len(origin.releases) for origin in found if origin.located)
    assert len(counts) > 30
    assert counts[len(counts) // 2] <= 2


@pytest.mark.parametrize("file", RAISED, ids=name_of)
def test_the_true_versions_never_rule_every_cause_out(file: Path) -> None:
    versions = dict(re.findall(r"(accelerate|torch|numpy)-([\d.]+\d)", file.name))
    first = diagnose(file.read_text(), versions)[0]
    assert first.answer is Answer.KNOWN


def test_precision_and_recall_are_those_of_the_docs() -> None:
    """A wrong mode that is named costs precision, a right one that is not named recall."""
    inputs = [*examples(), *in_layouts(), *reported(), *near_misses()]
    assert len(inputs) >= 120
    answers = [(one.mode, _first(one)) for one in inputs]
    named = [(right, first.modes[0]) for right, first in answers if first.answer is Answer.KNOWN]
    right = sum(right == mode for right, mode in named)
    wanted = sum(bool(right) for right, _ in answers)
    counts = (
        f"{len(FILES)} examples ({len(RAISED)} raised for real), {len(in_layouts()):,} of them in "
        f"other layouts, {len(reported())} public reports, {len(near_misses())} near misses"
    )
    figures = f"precision {right / len(named):.3f}, recall {right / wanted:.3f}"
    docs = " ".join(Path(ROOT / "docs/explain.md").read_text().split())
    assert counts in docs
    assert figures in docs
