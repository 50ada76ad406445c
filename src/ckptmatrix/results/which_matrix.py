"""The matrix that a question is asked of: a named one, the last run here, or the shipped sample."""

from collections.abc import Collection
from importlib import resources
from pathlib import Path

from ckptmatrix.errors import NotMeasuredError
from ckptmatrix.model import Matrix
from ckptmatrix.results.matrix_file.compact import FILENAME
from ckptmatrix.results.matrix_file.reading import read_matrix

LAST_RUN = Path("reports") / FILENAME
"""Where `ckptmatrix run` leaves its result, relative to the project."""


FURTHER = ("sharded", "resharded", "deepspeed", "eight-bit")
"""Runs that come along beside the sample: of trainings that have tiers of their own."""


def finished_matrix(
    path: Path | None = None, scenarios: Collection[str] = ()
) -> tuple[Matrix, str]:
    """Find and read a finished run.

    Args:
        path: a matrix.json.gz or a directory that holds one; None looks for the last run in the
            working directory and then for the sample that the package brings along.
        scenarios: what will be asked about; where the sample has none of it, one of the further
            runs that come along answers, if it has.

    Returns:
        The matrix, and in words where it is from.

    Raises:
        UsageError: the file cannot be read or understood.
        NotMeasuredError: no path was given and there is nothing to fall back on.
    """
    if path is not None:
        return read_matrix(path), str(path)
    if LAST_RUN.is_file():
        return read_matrix(LAST_RUN), str(LAST_RUN)
    sample = _shipped()
    if sample is None:
        raise NotMeasuredError(
            f"no run is here: there is no {LAST_RUN}, and no sample is installed",
            "run `ckptmatrix run`, or name a matrix.json.gz with --matrix",
        )
    matrix, name = read_matrix(sample), "sample"
    if scenarios and not _has(matrix, scenarios):
        others = ((one, _shipped(one)) for one in FURTHER)
        read = ((one, read_matrix(place)) for one, place in others if place)
        name, matrix = next((both for both in read if _has(both[1], scenarios)), (name, matrix))
    kind = name if name == "sample" else f"run of tier {name}"
    return matrix, f"the {kind} shipped with ckptmatrix ({matrix.run.finished[:10]})"


def _has(matrix: Matrix, scenarios: Collection[str]) -> bool:
    return not set(scenarios).isdisjoint(cell.scenario for cell in matrix.cells)


def baseline_of(root: Path) -> Path | None:
    """The report of an earlier run that a project has committed; None if there is none."""
    sample = root / "reports" / "sample"
    return sample if any(sample.glob("matrix.json*")) else None


def _shipped(name: str = "") -> Path | None:
    """Find the sample, or a further run: in an installed package, or in the checkout it is from."""
    package = Path(str(resources.files("ckptmatrix")))
    reports = package.parents[1] / "reports"
    for place in (package / "sample" / name, reports / (name or "sample")):
        if (place / FILENAME).is_file():
            return place
    return None
