"""Everything a report says, worked out once: what the templates and Markdown write down."""

from collections.abc import Sequence
from dataclasses import dataclass

from ckptmatrix.model import CellRecord, ControlsResult, Matrix, Status
from ckptmatrix.plan.newer import sentence_of
from ckptmatrix.results.findings.ages import ages
from ckptmatrix.results.findings.axis import Axis, axis_of
from ckptmatrix.results.findings.cause_areas import Finding, findings_of
from ckptmatrix.results.findings.comparison import ChangeKind, Diff, compare
from ckptmatrix.results.findings.folds import Folds, folds_of
from ckptmatrix.results.findings.gpu import gpu_notes
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.measured_how import how_notes
from ckptmatrix.results.findings.newest import (
    NewestOnStack,
    Target,
    newest_by_scenario,
    shown_first,
    targets_of,
)
from ckptmatrix.results.findings.stacks import StackVersions, stack_versions
from ckptmatrix.results.findings.tally import Tally, remedied, scenarios_of, tally
from ckptmatrix.results.findings.turns import Turn, changed_turns, wrong_turns
from ckptmatrix.results.findings.views import View, is_today, view_of, views_of
from ckptmatrix.results.verdict.commonest import commonest
from ckptmatrix.results.verdict.upgrade import Upgrade

_NAMED = 6
"""So many scenarios are named; of more only the number is given."""

_PROBLEMS = 10
"""Problems that are listed one by one."""


@dataclass(frozen=True)
class Page:
    """One report."""

    matrix: Matrix
    """What was measured."""
    axis: Axis
    """Its releases, stacks and eras in order."""
    versions: StackVersions
    """What the stacks hold."""
    scenarios: tuple[str, ...]
    """Scenarios of the run."""
    tallies: dict[View, Tally]
    """Counts for each way to load, today's first."""
    remedied: dict[View, Tally]
    """For each other way to load: what becomes by it of the loads that are not exact today."""
    by_scenario: dict[str, Tally]
    """Counts for each scenario, loaded as it is today."""
    shown: str
    """The scenario that the grid shows first; empty for all of them."""
    targets: tuple[Target, ...]
    """The newest release on each stack."""
    by_newest: tuple[NewestOnStack, ...]
    """The same, scenario by scenario."""
    commonest: Upgrade | None
    """The step to the newest release; None where there is but one."""
    findings: tuple[Finding, ...]
    """Causes, unknown ones first."""
    folds: Folds
    """Rows and columns of the grid that are alike."""
    diff: Diff | None
    """Against the baseline; None if there is none."""
    unexpected: tuple[CellRecord, ...]
    """Cells that came out otherwise than expected."""
    wrong: tuple[Turn, ...]
    """What makes the run red: unexpected outcomes, and what is worse than in the baseline."""
    changed: tuple[Turn, ...]
    """What else is not as in the baseline."""

    @property
    def title(self) -> str:
        """What the run is, for a window's title; what makes it red comes first."""
        found = ["controls failed"] * self._controls_failed
        found += [f"{len(self.unexpected)} not as expected"] * bool(self.unexpected)
        found += [f"{self.regressions} worse than in the baseline"] * bool(self.regressions)
        found += ["read this first"] * (not found and bool(self.alarms))
        about = f"Checkpoint compatibility of accelerate, {self.matrix.run.finished[:10]}"
        return f"\N{BALLOT X} {', '.join(found)} \N{EN DASH} {about}" if found else about

    @property
    def _controls_failed(self) -> bool:
        failed = any(not control.passed for control in self.matrix.controls)
        return failed or self.matrix.run.controls is not ControlsResult.PASSED

    @property
    def ages(self) -> str:
        """How many loads were measured in this run, and when the others were."""
        return ages(self.matrix)

    @property
    def newer(self) -> str:
        """Which releases were out and not measured, a sentence; empty if none was known of."""
        return sentence_of(self.matrix.run)

    @property
    def how(self) -> tuple[str, ...]:
        """What is to be said of how scenarios could be measured."""
        return how_notes(self.matrix)

    @property
    def regressions(self) -> int:
        """How many cells are worse than in the baseline."""
        return len(self.diff.of(ChangeKind.REGRESSED)) if self.diff else 0

    @property
    def alarms(self) -> tuple[str, ...]:
        """What must be read before anything else on the page, in sentences."""
        failed = [control for control in self.matrix.controls if not control.passed]
        found = []
        if self._controls_failed:
            found.append(
                f"Controls failed ({len(failed)} of {len(self.matrix.controls)}): "
                "the judge itself cannot be trusted in this run."
            )
        if self.unexpected:
            found.append(f"Not as expected: {_counted(len(self.unexpected), 'outcome')}.")
        if self.regressions:
            found.append(f"Worse than in the baseline: {_counted(self.regressions, 'load')}.")
        problems = self.matrix.problems
        left_out = len(problems) - _PROBLEMS
        more = (f"... and {left_out} more; matrix.json has them all",) * (left_out > 0)
        return (
            *gpu_notes(self.matrix),
            *found,
            *(problem.text for problem in problems[:_PROBLEMS]),
            *more,
        )


def scenarios_text(names: Sequence[str], all_: Sequence[str]) -> str:
    """Name some scenarios of all: one by one if they are few, else by their number."""
    if len(names) == len(all_):
        return "every scenario"
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} scenarios"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _today(matrix: Matrix) -> dict[str, list[Status]]:
    found: dict[str, list[Status]] = {name: [] for name in scenarios_of(matrix)}
    for cell in matrix.cells:
        if is_today(cell):
            found[cell.scenario].append(cell.status)
    return found


def page_of(matrix: Matrix, baseline: Matrix | None = None) -> Page:
    """Work out the report of a run."""
    axis = axis_of(matrix)
    statuses: dict[View, list[CellRecord]] = {view: [] for view in views_of(matrix)}
    for cell in matrix.cells:
        statuses[view_of(cell)].append(cell)
    diff = compare(baseline, matrix) if baseline is not None else None
    milder = [kind for kind in ChangeKind if kind is not ChangeKind.REGRESSED]
    return Page(
        matrix=matrix,
        axis=axis,
        versions=stack_versions(matrix),
        scenarios=scenarios_of(matrix),
        tallies={view: tally(cell.status for cell in cells) for view, cells in statuses.items()},
        remedied=remedied(matrix),
        by_scenario={name: tally(found) for name, found in _today(matrix).items()},
        shown=shown_first(scenarios_of(matrix)),
        targets=targets_of(matrix, axis),
        by_newest=newest_by_scenario(matrix, axis),
        commonest=commonest(LoadIndex(matrix)),
        findings=findings_of(matrix, axis),
        folds=folds_of(matrix, axis),
        diff=diff,
        unexpected=tuple(cell for cell in matrix.cells if cell.expected is False),
        wrong=wrong_turns(matrix, diff),
        changed=changed_turns(matrix, diff, milder) if diff else (),
    )
