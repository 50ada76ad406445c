"""A report that stands is not made again, and one that does not stand is never taken for it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.knowledge.expectations import Expectations
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.measured_run import MeasuredRun
from ckptmatrix.model import Cell
from ckptmatrix.plan.planning import make_plan
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.selection import Selection
from ckptmatrix.results.assemble import inputs_digest
from ckptmatrix.results.conclusion import Conclusion
from ckptmatrix.results.report import DEFAULT, FORMATS
from ckptmatrix.results.report_cache import ReportCache
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

SAID = Conclusion({"cells": 3}, ("a line",), "passed (36)", 3, "2026-01-01T00:00:00Z", "page", 1)


@pytest.fixture
def standing(tmp_path: Path) -> ReportCache:
    """A report that has just been written and remembered."""
    for place in ("reports", "sample"):
        (tmp_path / place).mkdir()
    for name in DEFAULT:
        (tmp_path / "reports" / FORMATS[name].FILENAME).write_text("a report")
    (tmp_path / "expectations.toml").write_text("what is expected")
    (tmp_path / "sample" / "matrix.json").write_text("an earlier run")
    inputs = (tmp_path / "expectations.toml", tmp_path / "sample")
    standing = ReportCache(Home(tmp_path / "home"), tmp_path / "reports", inputs)
    standing.keep("outcomes", SAID)
    return standing


def test_a_report_stands_as_long_as_nothing_has_changed(standing: ReportCache) -> None:
    assert standing.recall("outcomes") == SAID


@pytest.mark.parametrize(
    "change",
    [
        lambda place: (place / "reports" / "index.html").unlink(),
        lambda place: (place / "reports" / "matrix.json.gz").write_text("another report"),
        lambda place: (place / "expectations.toml").write_text("something else"),
        lambda place: (place / "expectations.toml").unlink(),
        lambda place: (place / "sample" / "matrix.json").write_text("another run"),
        lambda place: (place / "sample" / "matrix.json.gz").write_text("one more"),
        lambda place: next((place / "home" / "reports").iterdir()).write_text("damaged"),
    ],
)
def test_it_falls_with_any_file(
    change: Callable[[Path], None], standing: ReportCache, tmp_path: Path
) -> None:
    change(tmp_path)
    assert standing.recall("outcomes") is None


def test_it_falls_with_the_outcomes(standing: ReportCache) -> None:
    assert standing.recall("other outcomes") is None


def test_another_directory_has_no_report(standing: ReportCache, tmp_path: Path) -> None:
    assert ReportCache(standing.home, tmp_path, standing.inputs).recall("outcomes") is None


def run(reports: Path, *more: str) -> tuple[int, dict[str, object], str]:
    """Exit code, counts, and what was said, of a run of one cell."""
    one = ["--accelerate", "1.15.0", "--stack", "torch2.15-np2", "--scenario", "basic"]
    options = [*one, "--json", "--reports", str(reports), *more]
    ended = subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "run", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    return ended.returncode, json.loads(ended.stdout), ended.stderr


@pytest.mark.environments
def test_it_falls_with_the_remedies(lab: Lab) -> None:
    """Whether they are measured may be changed in `matrix.toml`; the plain loads stay the same."""
    selection = Selection("eras", ("1.15.0",), ("torch2.15-np2",), ("basic",))
    plan = make_plan(lab.site.config, selection)
    selected = Selected(lab.site.config, selection, "", plan)
    job = Job(lab.site, selected, Expectations((), "eras"))
    assert plan.remedies
    other = replace(job, selected=replace(selected, plan=replace(plan, remedies=())))
    one, another = (inputs_digest(MeasuredRun(asked, lab, (), {}, "")) for asked in (job, other))
    assert one != another


@pytest.mark.environments
def test_it_stands_whatever_other_runs_measure(lab: Lab) -> None:
    """They may share a home; an outcome of its own that is measured again makes it fall."""
    cell = Cell(NEWEST, NEWEST, "basic")
    own = lab.outcome(cell)
    before = lab.times([cell])
    assert list(before) == [lab.key(cell)]
    lab.store.put("of another run", own, {})
    assert lab.times([cell]) == before
    lab.store.forget(["of another run"])
    lab.store.put(lab.key(cell), replace(own, measured="2000-01-01T00:00:00Z"), {})
    assert lab.times([cell]) != before
    lab.store.put(lab.key(cell), own, {})


@pytest.mark.environments
def test_a_repeat_leaves_the_report_and_a_fresh_run_does_not(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    *first, said = run(tmp_path)
    assert "stands" not in said
    written = page.stat().st_mtime_ns
    *again, said = run(tmp_path)
    assert "its report stands" in said
    assert again == first
    assert page.stat().st_mtime_ns == written
    page.unlink()
    *anew, said = run(tmp_path)
    assert "stands" not in said
    assert anew == first
    written = page.stat().st_mtime_ns
    *fresh, said = run(tmp_path, "--fresh")
    assert "stands" not in said
    assert fresh == first
    assert page.stat().st_mtime_ns > written
