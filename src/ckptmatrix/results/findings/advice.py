"""May we go from one environment to another: the verdict, the loss, the remedy, the way back."""

from collections.abc import Sequence
from dataclasses import dataclass

from ckptmatrix.errors import NotMeasuredError, UsageError
from ckptmatrix.model import Environment, EnvironmentStatus, Matrix
from ckptmatrix.results.findings.axis import Axis, axis_of, version_key
from ckptmatrix.results.findings.crossing import Crossing, Safety, cross
from ckptmatrix.results.findings.detours import Detour, Verify, best_detour
from ckptmatrix.results.findings.tally import Rank, scenarios_of
from ckptmatrix.results.findings.views import TODAY, View, views_of


@dataclass(frozen=True)
class Remedy:
    """Another way to load, as it was measured where the plain load is not exact.

    A run need not measure it elsewhere, so its counts are of those scenarios alone.
    """

    view: View
    """Loader and treatment."""
    makes_exact: tuple[str, ...]
    """Scenarios that are not exact without it and resume exactly with it."""
    of: int
    """Scenarios that are not exact without it, whether it was measured there or not."""
    harms: tuple[str, ...]
    """Scenarios that are exact without it and were measured not to be with it."""


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
    detour: Detour | None = None
    """A way round, if there is no direct one."""

    @property
    def worse(self) -> tuple[str, ...]:
        """Scenarios that fare worse than without the upgrade, or lose more."""
        new, old = self.forward, self.stay
        return tuple(
            name
            for name in new.hurt
            if name in old.ranks
            and (
                new.ranks[name] > old.ranks[name]
                or (new.ranks[name] == old.ranks[name] and new.losses(name) > old.losses(name))
            )
        )

    @property
    def better(self) -> tuple[str, ...]:
        """Scenarios that fare better than without the upgrade."""
        new, old = self.forward.ranks, self.stay.ranks
        return tuple(name for name in new if name in old and new[name] < old[name])

    @property
    def as_before(self) -> tuple[str, ...]:
        """Scenarios that are not exact, and no better without the upgrade: not its doing."""
        return tuple(n for n in self.forward.hurt if n in self.stay.ranks and n not in self.worse)

    @property
    def by_upgrade(self) -> tuple[str, ...]:
        """Scenarios that are not exact, as far as is known because of the upgrade."""
        before = set(self.as_before)
        return tuple(name for name in self.forward.hurt if name not in before)

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
        verify: makes the hops of a way round for real; without it one is only pieced together.

    Returns:
        The verdict in both directions, remedies, and a way round if the direct one is not safe.
    """
    asked = tuple(scenarios) or scenarios_of(matrix)
    forward = cross(matrix, old, new, asked)
    detour = None
    if forward.answer is Safety.UNSAFE:
        detour = best_detour(matrix, old, new, asked, verify)
    return Advice(
        forward=forward,
        back=cross(matrix, new, old, asked),
        stay=cross(matrix, old, old, asked),
        remedies=_remedies(matrix, forward, asked),
        detour=detour,
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
            f"there is no stack {stack!r} in this run", f"its stacks are {', '.join(axis.stacks)}"
        )
    if release not in axis.releases:
        raise NotMeasuredError(
            f"accelerate {release} is not among the tested releases",
            f"{_neighbours(axis, release)}tested are {', '.join(axis.releases)}; measure it with "
            f"`nox -s matrix -- --accelerate {','.join(filter(None, (release, other)))}`",
        )
    records = matrix.environments
    for name in [stack] if stack is not None else reversed(axis.stacks):
        wanted = [Environment(r, name).id for r in (release, other) if r is not None]
        if all(id_ in records and records[id_].status is EnvironmentStatus.READY for id_ in wanted):
            return wanted[0]
    if other is not None:
        return resolve(matrix, release, None)
    id_ = Environment(release, stack or axis.stacks[-1]).id
    reason = records[id_].reason if id_ in records else "it was not asked for"
    raise NotMeasuredError(
        f"accelerate {release} was not run{f' on {stack}' if stack else ''}: {reason}",
        f"choose another stack: {', '.join(axis.stacks)}",
    )


def _remedies(matrix: Matrix, forward: Crossing, asked: tuple[str, ...]) -> tuple[Remedy, ...]:
    found = []
    for view in views_of(matrix):
        if view == TODAY:
            continue
        ranks = cross(matrix, forward.writer, forward.reader, asked, view).ranks
        makes_exact = tuple(n for n in forward.hurt if ranks.get(n) is Rank.EXACT)
        harms = tuple(
            name
            for name, rank in forward.ranks.items()
            if rank is Rank.EXACT and ranks.get(name, rank) is not Rank.EXACT
        )
        if makes_exact:
            found.append(Remedy(view, makes_exact, len(forward.hurt), harms))
    return tuple(sorted(found, key=lambda remedy: -len(remedy.makes_exact)))


def _neighbours(axis: Axis, release: str) -> str:
    """Say between which tested releases one lies, if those two write alike; else nothing."""
    older = [tested for tested in axis.releases if version_key(tested) < version_key(release)]
    newer = axis.releases[len(older) :]
    if not older or not newer or axis.era_of(older[-1]) != axis.era_of(newer[0]):
        return ""
    return f"it lies between {older[-1]} and {newer[0]}, which write alike; "
