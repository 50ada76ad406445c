"""Upgrades of sharded trainings, over a real run of them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.model import Status
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.measured_how import how_notes
from ckptmatrix.results.findings.turns import wrong_turns
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.report.payload_question import question
from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.upgrade import Headline, Upgrade, judge
from tests.support.places import SHARDED_RUN

MATRIX = read_matrix(SHARDED_RUN)
STACK = "torch2.15-np2"


def _upgrade(old: str, new: str, *scenarios: str) -> Upgrade:
    before, after = (f"accelerate-{release}+{STACK}" for release in (old, new))
    return judge(LoadIndex(MATRIX), before, after, scenarios)


def test_the_optimizer_that_shards_lose_is_told_with_what_brings_it_back() -> None:
    """1.0.1 restores the optimizer and loses random states; 1.15.0 the reverse, which is worse."""
    found = _upgrade("1.0.1", "1.15.0", "fsdp-2-sharded")
    told = dict(sentences.details(found))
    assert told["is lost"] == "optimizer, scaler and schedule (optimizer)"
    assert "random states" in told["comes back"]
    assert "ckptmatrix.resume.load_state" in told["advice"]
    assert "FULL_STATE_DICT" in told["advice"]


def test_a_component_is_named_once_for_all_processes() -> None:
    found = _upgrade("1.0.1", "1.15.0", "fsdp-2-sharded")
    assert sentences.outcome(found.choices[-1]) == "loses optimizer"
    unforeseen = replace(MATRIX, cells=tuple(replace(c, expected=False) for c in MATRIX.cells))
    titles = [turn.title for turn in wrong_turns(unforeseen, None)]
    assert any("loses optimizer" in title for title in titles)
    assert not any("@" in title for title in titles)


def test_a_load_that_never_returned_is_better_left_behind() -> None:
    found = _upgrade("1.8.1", "1.15.0", "fsdp-2-v2")
    assert found.headline is Headline.GO
    (one,) = found.forward.judged
    assert one.stay is not None
    assert one.stay.status is Status.TIMEOUT
    assert one.now is not None
    assert one.now.status is Status.EXACT
    assert found.back.worse == ("fsdp-2-v2",)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ((), "fsdp-2, fsdp-2-sharded, fsdp-2-v2, fsdp-2-v2-sharded"),
        (("fsdp-2-v2",), "fsdp-2-v2"),
    ],
)
def test_it_is_said_that_the_gate_was_lifted(asked: tuple[str, ...], told: str) -> None:
    assert how_notes(MATRIX, asked) == (f"Measured on the CPU, FSDP's gate lifted: {told}.",)


def test_the_page_says_so_beside_the_device() -> None:
    told = question(LoadIndex(MATRIX))["device"]
    assert str(told).endswith("; 4 of 4 trainings on the CPU, FSDP's gate lifted")


def test_the_command_says_so_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ckptmatrix", "upgrade", "1.0.1", "1.15.0", "--no-verify"]
    asked = ["--scenario", "fsdp-2-sharded", "--matrix", str(SHARDED_RUN)]
    done = subprocess.run(
        [*command, *asked], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "FSDP's gate lifted: fsdp-2-sharded" in done.stdout
