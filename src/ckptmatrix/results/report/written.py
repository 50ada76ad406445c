"""What each release writes: files and keys by era, with what is new and what is gone."""

from dataclasses import dataclass

from ckptmatrix.model import CheckpointRecord, Matrix
from ckptmatrix.results.findings.axis import Axis, Era, contents
from ckptmatrix.results.findings.newest import environments_text
from ckptmatrix.results.report.grid import era_letter


@dataclass(frozen=True)
class File:
    """One file of a checkpoint."""

    name: str
    """Path in the checkpoint."""
    sizes: str
    """Its size in bytes, as a range if writers differ."""
    new: bool
    """Whether the era before did not write it."""
    keys: tuple[tuple[str, bool], ...]
    """Its keys and whether each is new; empty for weights."""


@dataclass(frozen=True)
class Written:
    """Checkpoints of one era that hold the same."""

    letter: str
    """Letter of the era."""
    writers: str
    """Who writes so."""
    files: tuple[File, ...]
    """What they hold."""
    gone: tuple[str, ...]
    """Files and keys that the era before had."""
    unsaved: tuple[str, ...]
    """Components that are not, or not wholly, in the checkpoint."""


def written_of(matrix: Matrix, axis: Axis, scenario: str) -> tuple[Written, ...]:
    """List what was written for one scenario, an entry for each era and each content in it."""
    letters = {r: (i, era) for i, era in enumerate(axis.eras) for r in era.releases}
    groups: dict[tuple[int, frozenset[str]], list[CheckpointRecord]] = {}
    for checkpoint in matrix.checkpoints:
        record = matrix.environments.get(checkpoint.writer)
        if record and checkpoint.scenario == scenario and checkpoint.status == "written":
            index = letters[record.accelerate][0]
            groups.setdefault((index, contents(checkpoint)), []).append(checkpoint)
    ordered = sorted(groups.items(), key=lambda item: item[0][0])
    return tuple(_written(matrix, axis, axis.eras[i], i, c) for (i, _), c in ordered)


def _written(
    matrix: Matrix, axis: Axis, era: Era, index: int, checkpoints: list[CheckpointRecord]
) -> Written:
    one = checkpoints[0]
    files = []
    for name in sorted(one.files):
        sizes = sorted({c.files[name] for c in checkpoints})
        weights = name.startswith(("model", "pytorch_model"))
        keys = () if weights else one.keys.get(name, ())
        files.append(
            File(
                name,
                f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}",
                name in era.added,
                tuple((key, f"{name}: {key}" in era.added) for key in keys),
            )
        )
    unsaved = [
        f"{component} ({named})" if (named := ", ".join(filter(None, parts))) else component
        for component, parts in one.unsaved.items()
    ]
    return Written(
        era_letter(index),
        environments_text(matrix, axis, [c.writer for c in checkpoints]),
        tuple(files),
        era.removed,
        tuple(unsaved),
    )
