"""Two runs of one matrix on one machine agree in every cell; each writes its own checkpoints."""

from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import CellRecord, Status
from ckptmatrix.plan.config import ALL, read_config
from ckptmatrix.plan.planning import Plan, make_plan
from ckptmatrix.plan.selection import Selection
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT


def measured(plan: Plan, place: Path) -> dict[str, CellRecord]:
    """Every cell, measured in a home of its own; only the environments are shared."""
    shared = Home.of(ROOT).environments
    shared.mkdir(parents=True, exist_ok=True)
    place.mkdir()
    (place / "environments").symlink_to(shared, target_is_directory=True)
    with Lab(Site(read_config(ROOT / "matrix.toml"), Home(place))) as lab:
        for writer, scenario in sorted(plan.checkpoints, key=lambda one: one[0].id):
            if lab.registry.installed(writer).ready:
                lab.registry.written(
                    writer, scenario
                )  # writer by writer: only two workers stay alive
        return {
            cell.id: replace(lab.measured(cell), seconds=0.0, measured="") for cell in plan.cells
        }


def agree(selection: Selection, place: Path) -> None:
    plan = make_plan(read_config(ROOT / "matrix.toml"), selection)
    first, second = measured(plan, place / "one"), measured(plan, place / "two")
    different = [name for name in first if first[name] != second[name]]
    assert different == []
    assert {record.status for record in first.values()} >= {Status.EXACT, Status.DEGRADED}


@pytest.mark.environments
def test_two_runs_agree(tmp_path: Path) -> None:
    chosen = ("basic", "ddp-2", "ddp-2-main-only")
    agree(Selection("smoke", stacks=(NEWEST.stack,), scenarios=chosen), tmp_path)


@pytest.mark.environments
@pytest.mark.slow
def test_two_runs_of_the_whole_smoke_tier_agree(tmp_path: Path) -> None:
    agree(Selection("smoke", scenarios=(ALL,)), tmp_path)
