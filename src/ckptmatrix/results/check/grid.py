"""The scenarios of a question, measured as any run is, over a matrix of its own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ckptmatrix.environments.site import Site
from ckptmatrix.errors import NothingRanError
from ckptmatrix.knowledge.expectations import Expectations
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.pipeline import measured
from ckptmatrix.model import ControlsResult, Matrix, ProblemKind
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.planning import Plan, make_plan
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.selection import Selection
from ckptmatrix.plan.upgrade_matrix import TIER, Places, upgrade_matrix
from ckptmatrix.results.assemble import judged_matrix
from ckptmatrix.results.check.question import Question
from ckptmatrix.util.home import Home


def site_of(question: Question, places: Places, file: Path) -> Site:
    """Declare a matrix of some environments over the question's scenarios.

    Args:
        question: what is asked.
        places: the environments.
        file: where the matrix is written.
    """
    declared = question.config
    sources = {name: declared.scenarios[name] for name in question.scenarios}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(upgrade_matrix(places, sources, declared.loaders), encoding="utf-8")
    config = read_config(file, root=declared.root)
    return Site(config, Home.of(declared.root), question.machine.gpus)


def measured_grid(question: Question, site: Site, narrow: Callable[[Plan], Plan]) -> Matrix:
    """Measure a part of a site's matrix.

    Args:
        question: what is asked.
        site: where its environments are declared.
        narrow: gives the part.

    Raises:
        NothingRanError: no environment can be built, nothing can be measured, or a control, a
            script or ckptmatrix itself failed.
    """
    selection = Selection(TIER, devices=question.devices)
    plan = narrow(make_plan(site.config, selection))
    job = Job(
        site,
        Selected(site.config, selection, "", plan),
        Expectations((), TIER),
        question.fresh,
        question.jobs,
        part=True,
    )
    with measured(job) as found:
        matrix = judged_matrix(found)
    wrong = [one.text for one in matrix.problems if one.kind is ProblemKind.HARNESS_FAILED]
    wrong += [
        f"control failed: {one.name} of {one.scenario} in {one.environment}: {one.detail}"
        for one in matrix.controls
        if not one.passed
    ]
    if wrong or matrix.run.controls is not ControlsResult.PASSED:
        raise NothingRanError(
            "\n".join(wrong) or "the controls did not pass", "mend what is named, and run again"
        )
    return matrix


def together(one: Matrix, other: Matrix) -> Matrix:
    """Two parts of one matrix; of the run, what the first says."""
    return replace(
        one,
        environments={**one.environments, **other.environments},
        checkpoints=(*one.checkpoints, *(c for c in other.checkpoints if c not in one.checkpoints)),
        cells=(*one.cells, *other.cells),
        causes={**one.causes, **other.causes},
        controls=(*one.controls, *other.controls),
        problems=(*one.problems, *other.problems),
    )
