"""Rows and columns that are alike: consecutive releases of a stack that behave the same."""

from collections.abc import Iterable
from dataclasses import dataclass

from ckptmatrix.model import CellRecord, Matrix
from ckptmatrix.results.findings.axis import Axis, span
from ckptmatrix.results.findings.tally import losses


@dataclass(frozen=True)
class Fold:
    """Environments of one stack and one era that stand for each other."""

    stack: str
    """Name of the stack."""
    era: int
    """Index of the era in `Axis.eras`."""
    releases: tuple[str, ...]
    """Tested releases, oldest first."""
    environments: tuple[str, ...]
    """Their environment ids."""

    @property
    def name(self) -> str:
        """Range of its releases."""
        return span(self.releases[0], self.releases[-1])


@dataclass(frozen=True)
class Folds:
    """What is alike on each side of the grid, in the order of the axis."""

    writers: tuple[Fold, ...]
    """Its rows."""
    readers: tuple[Fold, ...]
    """Its columns."""


def folds_of(matrix: Matrix, axis: Axis) -> Folds:
    """Fold the rows (writers) and the columns (readers) of the grid.

    Two neighbours are alike if with every partner, in every scenario and however loaded, they have
    the same status, cause, kind of exception and lost components. So every cell of a folded grid
    holds for all the pairs that it stands for.
    """
    number: dict[tuple[object, ...], int] = {}
    rows: dict[str, set[tuple[object, ...]]] = {}
    columns: dict[str, set[tuple[object, ...]]] = {}
    for cell in matrix.cells:
        behaviour = number.setdefault(_behaviour(cell), len(number))
        how = (cell.scenario, cell.loader, cell.treatment, behaviour)
        rows.setdefault(cell.writer, set()).add((cell.reader, *how))
        columns.setdefault(cell.reader, set()).add((cell.writer, *how))
    return Folds(_fold(matrix, axis, rows), _fold(matrix, axis, columns))


def _fold(
    matrix: Matrix, axis: Axis, behaviour: dict[str, set[tuple[object, ...]]]
) -> tuple[Fold, ...]:
    era = {release: i for i, group in enumerate(axis.eras) for release in group.releases}
    groups: list[list[str]] = []
    for id_ in axis.environments:
        record = matrix.environments[id_]
        if groups:
            before = matrix.environments[groups[-1][0]]
            if (
                before.stack == record.stack
                and era[before.accelerate] == era[record.accelerate]
                and behaviour.get(groups[-1][0]) == behaviour.get(id_)
            ):
                groups[-1].append(id_)
                continue
        groups.append([id_])
    return tuple(_named(matrix, era, group) for group in groups)


def _named(matrix: Matrix, era: dict[str, int], group: Iterable[str]) -> Fold:
    ids = tuple(group)
    releases = tuple(matrix.environments[id_].accelerate for id_ in ids)
    return Fold(matrix.environments[ids[0]].stack, era[releases[0]], releases, ids)


def _behaviour(cell: CellRecord) -> tuple[object, ...]:
    bad = tuple(sorted((name, cell.components[name]) for name in losses(cell)))
    return (cell.status, cell.cause, cell.error and cell.error.type, cell.expected, bad)
