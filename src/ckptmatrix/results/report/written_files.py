"""What each release writes: files and keys by era, with what is new and what is gone."""

from dataclasses import dataclass

from ckptmatrix.model import CheckpointRecord, CheckpointStatus, Matrix
from ckptmatrix.results.findings.axis import Axis, contents
from ckptmatrix.results.findings.newest import environments_text
from ckptmatrix.results.report.grid import era_letter


@dataclass(frozen=True)
class WrittenKey:
    """One key of a file."""

    name: str
    """The key."""
    new: bool
    """Whether the era before did not write it."""


@dataclass(frozen=True)
class WrittenFile:
    """One file of a checkpoint."""

    name: str
    """Path in the checkpoint."""
    sizes: str
    """Its size in bytes, as a range if writers differ."""
    new: bool
    """Whether the era before did not write it."""
    keys: tuple[WrittenKey, ...]
    """Its keys; empty for weights."""


@dataclass(frozen=True)
class EraContents:
    """Checkpoints of one era that hold the same."""

    letter: str
    """Letter of the era."""
    writers: str
    """Who writes so."""
    files: tuple[WrittenFile, ...]
    """What they hold."""
    gone: tuple[str, ...]
    """Files and keys that the era before had."""
    unsaved: tuple[str, ...]
    """Components that are not, or not wholly, in the checkpoint."""


def era_contents(matrix: Matrix, axis: Axis, scenario: str) -> tuple[EraContents, ...]:
    """List what was written for one scenario, an entry for each era and each content in it."""
    era = {release: index for index, one in enumerate(axis.eras) for release in one.releases}
    groups: dict[tuple[int, frozenset[str]], list[CheckpointRecord]] = {}
    for checkpoint in matrix.checkpoints:
        record = matrix.environments.get(checkpoint.writer)
        written = checkpoint.status is CheckpointStatus.WRITTEN
        if record and written and checkpoint.scenario == scenario:
            key = (era[record.accelerate], contents(checkpoint))
            groups.setdefault(key, []).append(checkpoint)
    ordered = sorted(groups.items(), key=lambda item: item[0][0])
    return tuple(_contents(matrix, axis, index, alike) for (index, _), alike in ordered)


def _contents(
    matrix: Matrix, axis: Axis, index: int, checkpoints: list[CheckpointRecord]
) -> EraContents:
    one, era = checkpoints[0], axis.eras[index]
    unsaved = [
        f"{component} ({named})" if (named := ", ".join(filter(None, parts))) else component
        for component, parts in one.unsaved.items()
    ]
    return EraContents(
        era_letter(index),
        environments_text(matrix, axis, [checkpoint.writer for checkpoint in checkpoints]),
        tuple(_file(name, checkpoints, era.added) for name in sorted(one.files)),
        era.removed,
        tuple(unsaved),
    )


def _file(name: str, checkpoints: list[CheckpointRecord], added: tuple[str, ...]) -> WrittenFile:
    sizes = sorted({checkpoint.files[name] for checkpoint in checkpoints})
    weights = name.startswith(("model", "pytorch_model"))
    keys = () if weights else checkpoints[0].keys.get(name, ())
    return WrittenFile(
        name,
        f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}",
        name in added,
        tuple(WrittenKey(key, f"{name}: {key}" in added) for key in keys),
    )
