"""May we go from one environment to another: the verdict, the loss, the remedy, the way back."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ckptmatrix.errors import NotMeasuredError, UsageError
from ckptmatrix.findings.axis import Axis, axis_of, version_key
from ckptmatrix.findings.paths import Path, Verify, best_path
from ckptmatrix.findings.tally import TODAY, View, rank, scenarios_of, view_of, views_of
from ckptmatrix.model import MEASURED, CellRecord, Environment, Matrix, Status, Verdict


class Answer(StrEnum):
    """Whether a checkpoint survives a change of environment."""

    SAFE = "safe"
    """Every scenario that was measured resumes exactly."""
    UNSAFE = "unsafe"
    """At least one loses something or fails."""
    UNKNOWN = "not-measured"
    """Nothing of what was asked was measured."""


@dataclass(frozen=True)
class Crossing:
    """Checkpoints of one environment loaded in another, over all scenarios asked for."""

    writer: str
    """Id of the writing environment."""
    reader: str
    """Id of the reading environment."""
    answer: Answer
    """Whether they resume."""
    whole: tuple[str, ...]
    """Components that came back in every scenario that has them and was loaded."""
    lost: dict[str, tuple[str, ...]]
    """Component -> scenarios in which it is lost or wrong without a word."""
    drifts: tuple[str, ...]
    """Scenarios in which every component came back, but the training that follows differs."""
    raised: dict[str, str]
    """Scenario -> how the load failed: exception and message."""
    unmeasured: dict[str, str]
    """Scenario -> why nothing is known."""
    causes: tuple[str, ...]
    """Ids of the causes, in the order in which they are met."""
    ranks: dict[str, int]
    """Scenario that was measured -> how bad it is: 0 exact, 1 degraded, 2 no load at all."""

    @property
    def exact(self) -> int:
        """Scenarios that resume exactly."""
        return list(self.ranks.values()).count(0)

    @property
    def measured(self) -> int:
        """Scenarios with a result."""
        return self.total - len(self.unmeasured)

    total: int = 0
    """Scenarios asked for."""


@dataclass(frozen=True)
class Remedy:
    """Another way to load, as it was measured."""

    view: View
    """Loader and treatment."""
    exact: int
    """Scenarios that resume exactly by it."""
    measured: int
    """Scenarios that were measured with it."""


@dataclass(frozen=True)
class Advice:
    """Everything that a person needs to decide on one upgrade."""

    forward: Crossing
    """Old checkpoints in the new environment."""
    back: Crossing
    """New checkpoints in the old environment: the rollback."""
    stay: Crossing
    """Old checkpoints in the old environment: what is lost today already."""
    remedies: tuple[Remedy, ...]
    """Other ways to load by which more scenarios resume exactly, the best first."""
    path: Path | None = None
    """A way round, if there is no direct one."""

    @property
    def worse(self) -> tuple[str, ...]:
        """Scenarios that fare worse than without the upgrade."""
        return self._against(lambda new, old: new > old)

    @property
    def better(self) -> tuple[str, ...]:
        """Scenarios that fare better than without the upgrade."""
        return self._against(lambda new, old: new < old)

    def _against(self, differs: Callable[[int, int], bool]) -> tuple[str, ...]:
        new, old = self.forward.ranks, self.stay.ranks
        return tuple(name for name in new if name in old and differs(new[name], old[name]))

    @property
    def already(self) -> tuple[str, ...]:
        """Components that staying loses as well, so that the upgrade is not to blame."""
        return tuple(name for name in self.forward.lost if name in self.stay.lost)


def advise(
    matrix: Matrix,
    old: str,
    new: str,
    scenarios: Sequence[str] = (),
    verify: Verify | None = None,
) -> Advice:
    """Judge the upgrade from one environment to another.

    Args:
        matrix: a finished run.
        old: id of the environment that has the checkpoints.
        new: id of the environment that shall load them.
        scenarios: which to judge; none means all of the run.
        verify: makes the hops of a path for real; without it a path is only pieced together.

    Returns:
        The verdict in both directions, remedies, and a path if the direct way is not safe.
    """
    asked = tuple(scenarios) or scenarios_of(matrix)
    forward = cross(matrix, old, new, asked)
    path = None
    if forward.answer is Answer.UNSAFE:
        path = best_path(matrix, old, new, asked, verify)
    return Advice(
        forward=forward,
        back=cross(matrix, new, old, asked),
        stay=cross(matrix, old, old, asked),
        remedies=_remedies(matrix, forward, asked),
        path=path,
    )


def cross(
    matrix: Matrix, writer: str, reader: str, scenarios: Iterable[str], view: View = TODAY
) -> Crossing:
    """Sum up what was measured for one writer and one reader."""
    asked = tuple(scenarios)
    found = {
        cell.scenario: cell
        for cell in matrix.cells
        if cell.writer == writer and cell.reader == reader and view_of(cell) == view
    }
    cells = [found[name] for name in asked if name in found and found[name].status in MEASURED]
    unmeasured = {
        name: f"{found[name].status}: {found[name].reason}" if name in found else "not in this run"
        for name in asked
        if name not in found or found[name].status not in MEASURED
    }
    # What a load left behind that raised is not lost in silence.
    returned = [cell for cell in cells if cell.status in (Status.EXACT, Status.DEGRADED)]
    lost: dict[str, tuple[str, ...]] = {}
    for cell in returned:
        for name in _bad(cell):
            lost[name] = (*lost.get(name, ()), cell.scenario)
    present = dict.fromkeys(
        name
        for cell in returned
        for name, verdict in cell.components.items()
        if verdict is Verdict.RESTORED
    )
    if not cells:
        answer = Answer.UNKNOWN
    elif all(cell.status is Status.EXACT for cell in cells):
        answer = Answer.SAFE
    else:
        answer = Answer.UNSAFE
    return Crossing(
        writer=writer,
        reader=reader,
        answer=answer,
        whole=tuple(name for name in present if name not in lost),
        lost=lost,
        drifts=tuple(
            cell.scenario for cell in cells if cell.status is Status.DEGRADED and not _bad(cell)
        ),
        raised={cell.scenario: _raised(cell) for cell in cells if _raised(cell)},
        unmeasured=unmeasured,
        causes=tuple(dict.fromkeys(cell.cause for cell in cells if cell.cause)),
        ranks={cell.scenario: rank(cell.status) for cell in cells},
        total=len(asked),
    )


def resolve(matrix: Matrix, release: str, stack: str | None, other: str | None = None) -> str:
    """Find the environment that a release and perhaps a stack mean.

    Args:
        matrix: the run to look in.
        release: accelerate release.
        stack: name of the stack; None means the newest on which this release could be installed.
        other: another release that must be there on the same stack, when `stack` is None.

    Raises:
        UsageError: there is no such stack.
        NotMeasuredError: the release is not in this run, or not on that stack.
    """
    axis = axis_of(matrix)
    if stack is not None and stack not in axis.stacks:
        raise UsageError(
            f"There is no stack {stack!r} in this run.", f"Its stacks are {', '.join(axis.stacks)}."
        )
    if release not in axis.releases:
        raise NotMeasuredError(
            f"accelerate {release} is not among the tested releases.",
            f"{_neighbours(axis, release)}Tested are {', '.join(axis.releases)}. Measure it with "
            f"`nox -s matrix -- --accelerate {','.join(filter(None, (release, other)))}`.",
        )
    records = matrix.environments
    for name in [stack] if stack is not None else reversed(axis.stacks):
        wanted = [Environment(r, name).id for r in (release, other) if r is not None]
        if all(id_ in records and records[id_].status == "ready" for id_ in wanted):
            return wanted[0]
    if other is not None:
        return resolve(matrix, release, None)
    id_ = Environment(release, stack or axis.stacks[-1]).id
    reason = records[id_].reason if id_ in records else "it was not asked for"
    raise NotMeasuredError(
        f"accelerate {release} was not run{f' on {stack}' if stack else ''}: {reason}",
        f"Choose another stack: {', '.join(axis.stacks)}.",
    )


def _remedies(matrix: Matrix, forward: Crossing, asked: tuple[str, ...]) -> tuple[Remedy, ...]:
    found = []
    for view in views_of(matrix):
        other = cross(matrix, forward.writer, forward.reader, asked, view)
        if view != TODAY and forward.answer is Answer.UNSAFE and other.exact > forward.exact:
            found.append(Remedy(view, other.exact, other.measured))
    return tuple(sorted(found, key=lambda remedy: -remedy.exact))


def _neighbours(axis: Axis, release: str) -> str:
    """Say between which tested releases one lies, if those two write alike; else nothing."""
    older = [tested for tested in axis.releases if version_key(tested) < version_key(release)]
    newer = axis.releases[len(older) :]
    if not older or not newer or axis.era_of(older[-1]) != axis.era_of(newer[0]):
        return ""
    return f"It lies between {older[-1]} and {newer[0]}, which write alike. "


def _bad(cell: CellRecord) -> tuple[str, ...]:
    return tuple(n for n, v in cell.components.items() if v in (Verdict.LOST, Verdict.WRONG))


def _raised(cell: CellRecord) -> str:
    if cell.error is not None and cell.status is Status.FAILED:
        return f"{cell.error.type}: {cell.error.message}".partition("\n")[0]
    if cell.status in (Status.CRASHED, Status.TIMEOUT, Status.FAILED):
        return str(cell.status)
    return ""
