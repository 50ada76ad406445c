"""The order in which environments stand along an axis of the grid, and the eras they fall into."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import InvalidVersion, Version

from ckptmatrix.model import (
    CheckpointRecord,
    CheckpointStatus,
    Device,
    EnvironmentRecord,
    Matrix,
)


class Side(StrEnum):
    """Which of the two environments of a load."""

    WRITER = "writer"
    """The one that saved: a row of the grid."""
    READER = "reader"
    """The one that loads: a column of the grid."""

    @property
    def other(self) -> "Side":
        """The one across."""
        return Side.READER if self is Side.WRITER else Side.WRITER


@dataclass(frozen=True)
class Era:
    """Consecutive releases that write the same files with the same keys."""

    first: str
    """Oldest release in it."""
    last: str
    """Newest release in it."""
    releases: tuple[str, ...]
    """All tested releases in it, oldest first."""
    added: tuple[str, ...] = ()
    """Files and keys that the era before did not write, such as `model.safetensors`."""
    removed: tuple[str, ...] = ()
    """Files and keys that only the era before wrote."""

    @property
    def name(self) -> str:
        """Its range in words, or its one release."""
        return span(self.first, self.last)


@dataclass(frozen=True)
class Axis:
    """Rows and columns of the grid alike: stacks, in each all releases, oldest first."""

    stacks: tuple[str, ...]
    """Labels of stacks, those on the CPU first; oldest torch first, then oldest numpy."""
    releases: tuple[str, ...]
    """accelerate releases, oldest first."""
    environments: tuple[str, ...]
    """Environment ids in the order of the axis."""
    eras: tuple[Era, ...]
    """The releases in groups that write alike."""

    newest: tuple[str, ...] = ()
    """Stacks in the order in which one is chosen for a person who names none: the newest on the CPU
    first."""

    def era_of(self, release: str) -> Era:
        """Give the era that a release of the axis is in."""
        return next(era for era in self.eras if release in era.releases)


def span(first: str, last: str) -> str:
    """Name a range of releases in as few characters as possible."""
    return first if first == last else f"{first}–{last}"


def version_key(text: str) -> tuple[int, Version, str]:
    """Sort key for a version; what is no version sorts first."""
    try:
        return (1, Version(text), text)
    except InvalidVersion:
        return (0, Version("0"), text)


def axis_of(matrix: Matrix) -> Axis:
    """Work out the axis of a matrix from its environments and what they wrote."""
    records = matrix.environments
    stacks = tuple(sorted({record.stack for record in records.values()}, key=_stack_key(records)))
    releases = tuple(sorted({r.accelerate for r in records.values()}, key=version_key))
    position = {name: index for index, name in enumerate(stacks)}
    environments = tuple(
        sorted(
            records, key=lambda i: (position[records[i].stack], version_key(records[i].accelerate))
        )
    )
    on_gpu = {record.stack for record in records.values() if record.device is not Device.CPU}
    newest = sorted(stacks, key=lambda stack: (stack in on_gpu, -position[stack]))
    return Axis(stacks, releases, environments, eras_of(matrix, releases), tuple(newest))


def eras_of(matrix: Matrix, releases: tuple[str, ...]) -> tuple[Era, ...]:
    """Cut the releases wherever two neighbours write other files or other keys.

    Releases that wrote nothing (unavailable, or without the feature) join their older neighbour:
    nothing speaks for a border there.
    """
    written: dict[str, dict[tuple[str, str], frozenset[str]]] = {
        release: {} for release in releases
    }
    for checkpoint in matrix.checkpoints:
        environment = matrix.environments.get(checkpoint.writer)
        if environment is not None and checkpoint.status is CheckpointStatus.WRITTEN:
            where = (environment.stack, checkpoint.scenario)
            written[environment.accelerate][where] = contents(checkpoint)
    eras: list[list[str]] = []
    changes: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    latest: dict[tuple[str, str], tuple[int, frozenset[str]]] = {}
    began: dict[tuple[str, bool], int] = {}
    for index, release in enumerate(releases):
        new: dict[bool, set[str]] = {True: set(), False: set()}
        for where, here in written[release].items():
            since, before = latest.get(where, (index, here))
            for added, names in ((True, here - before), (False, before - here)):
                # A stack that lacks some releases shows later what others have shown already.
                new[added] |= {name for name in names if began.get((name, added), -1) <= since}
            latest[where] = (index, here)
        began.update({(name, added): index for added, names in new.items() for name in names})
        if not eras or new[True] or new[False]:
            eras.append([])
            changes.append((tuple(sorted(new[True])), tuple(sorted(new[False]))))
        eras[-1].append(release)
    return tuple(
        Era(group[0], group[-1], tuple(group), added, removed)
        for group, (added, removed) in zip(eras, changes, strict=True)
    )


def contents(checkpoint: CheckpointRecord) -> frozenset[str]:
    """Name every file of a checkpoint, and every key of a pickled file as `file: key`.

    Keys of weights are the model's, not the format's, and are left out.
    """
    keys = {
        f"{file}: {key}"
        for file, names in checkpoint.keys.items()
        if not file.startswith(("model", "pytorch_model"))
        for key in names
    }
    return frozenset(checkpoint.files) | keys


def _stack_key(
    records: dict[str, EnvironmentRecord],
) -> Callable[[str], tuple[object, ...]]:
    def key(stack: str) -> tuple[object, ...]:
        members = [record for record in records.values() if record.stack == stack]
        # An unavailable environment knows no versions; any available one of the stack does.
        torch = max((record.torch for record in members), default="")
        numpy = max((record.numpy for record in members), default="")
        on_gpu = any(record.device is not Device.CPU for record in members)
        return (on_gpu, version_key(torch), version_key(numpy), stack)

    return key
