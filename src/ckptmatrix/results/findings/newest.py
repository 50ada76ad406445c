"""The question most people come with: may I go straight to the newest release?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ckptmatrix.model import EnvironmentStatus, Matrix, Status
from ckptmatrix.results.findings.axis import Axis, span
from ckptmatrix.results.findings.tally import scenarios_of, tally
from ckptmatrix.results.findings.views import is_today

PLAIN = "basic"
"""The scenario that most trainings have at least."""


def shown_first(scenarios: Sequence[str]) -> str:
    """Choose the scenario that a grid shows before anything is chosen; empty for all of them.

    Of many scenarios some are there to fail, and the worst of all would say the same of every cell.
    """
    return PLAIN if PLAIN in scenarios and len(scenarios) > 1 else ""


@dataclass(frozen=True)
class Target:
    """The newest release on one stack, and what becomes of everybody's checkpoints there."""

    release: str
    """The release."""
    stack: str
    """Name of the stack."""
    writers: dict[Status, str]
    """Status -> the writers it holds for, in words; worst first."""
    scenario: str
    """The scenario that it is judged by."""


def targets_of(matrix: Matrix, axis: Axis) -> tuple[Target, ...]:
    """Sum up, for each stack, loading with the newest release that could be installed there.

    Judged by the scenario `basic`, a plain training, if the run has it: some scenarios are there to
    fail, and the worst of all would say the same of every release.
    """
    names = scenarios_of(matrix)
    scenario = PLAIN if PLAIN in names else next(iter(names), "")
    found: dict[tuple[str, str], list[Status]] = {}
    for cell in matrix.cells:
        if is_today(cell) and cell.scenario == scenario:
            found.setdefault((cell.writer, cell.reader), []).append(cell.status)
    targets = []
    for stack in axis.stacks:
        ready = _ready_on(matrix, axis, stack)
        if not ready:
            continue
        reader = ready[-1]
        worst = {
            writer: tally(found[writer, reader]).worst
            for writer in axis.environments
            if (writer, reader) in found
        }
        writers = {
            status: environments_text(
                matrix, axis, [id_ for id_, found_ in worst.items() if found_ is status]
            )
            for status in tally(worst.values()).by_status
        }
        release = matrix.environments[reader].accelerate
        targets.append(Target(release, stack, writers, scenario))
    return tuple(targets)


@dataclass(frozen=True)
class Resumed:
    """What the newest release on a stack resumes of one scenario, from the same stack."""

    itself: Status
    """What becomes of its own checkpoint."""
    exact: str
    """Releases whose checkpoints it resumes exactly, in words; empty for none."""


@dataclass(frozen=True)
class NewestOnStack:
    """The newest release on one stack, scenario by scenario."""

    release: str
    """The release."""
    stack: str
    """Name of the stack."""
    scenarios: dict[str, Resumed]
    """Every scenario of the run."""


def newest_by_scenario(matrix: Matrix, axis: Axis) -> tuple[NewestOnStack, ...]:
    """Say for each stack and scenario whose checkpoints the newest release there resumes."""
    found: dict[tuple[str, str], dict[str, Status]] = {}
    for cell in matrix.cells:
        if is_today(cell):
            found.setdefault((cell.reader, cell.scenario), {})[cell.writer] = cell.status
    newest = []
    for stack in axis.stacks:
        members = _ready_on(matrix, axis, stack)
        if not members:
            continue
        reader = members[-1]
        scenarios = {}
        for name in scenarios_of(matrix):
            by_writer = found.get((reader, name), {})
            exact = {id_ for id_ in members if by_writer.get(id_) is Status.EXACT}
            itself = by_writer.get(reader, Status.NOT_RUN)
            scenarios[name] = Resumed(itself, _spans(matrix, members, exact) if exact else "")
        newest.append(NewestOnStack(matrix.environments[reader].accelerate, stack, scenarios))
    return tuple(newest)


def _ready_on(matrix: Matrix, axis: Axis, stack: str) -> list[str]:
    """Environments of a stack that could be built, oldest release first."""
    return [
        id_
        for id_ in axis.environments
        if matrix.environments[id_].stack == stack
        and matrix.environments[id_].status is EnvironmentStatus.READY
    ]


def environments_text(matrix: Matrix, axis: Axis, ids: Iterable[str]) -> str:
    """Name environments in few words: `0.14.0–0.31.0 and 0.34.2 on torch2.15-np2`.

    A range covers nothing that is not among them, so none that could not be installed either.
    """
    chosen = set(ids)
    by_releases: dict[str, list[str]] = {}
    for stack in axis.stacks:
        members = [id_ for id_ in axis.environments if matrix.environments[id_].stack == stack]
        if any(id_ in chosen for id_ in members):
            by_releases.setdefault(_spans(matrix, members, chosen), []).append(stack)
    if len(by_releases) == 1 and len(next(iter(by_releases.values()))) == len(axis.stacks):
        return f"{next(iter(by_releases))} on every stack"
    return "; ".join(f"{which} on {_listed(stacks)}" for which, stacks in by_releases.items())


def _spans(matrix: Matrix, members: list[str], chosen: set[str]) -> str:
    """Name runs of chosen releases among the members, which are in order."""
    runs: list[list[str]] = []
    previous = False
    for id_ in members:
        if id_ in chosen:
            if not previous:
                runs.append([])
            runs[-1].append(matrix.environments[id_].accelerate)
        previous = id_ in chosen
    if sum(map(len, runs)) == len(members) > 1:
        return "every release"
    return _listed([span(run[0], run[-1]) for run in runs])


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
