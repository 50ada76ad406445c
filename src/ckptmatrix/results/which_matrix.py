"""The matrix that a question is asked of: a named one, the last run here, or the shipped sample."""

from importlib import resources
from pathlib import Path

from ckptmatrix.errors import NotMeasuredError
from ckptmatrix.model import Matrix
from ckptmatrix.results.report.jsonfile import FILENAME, read_matrix

LAST_RUN = Path("reports") / FILENAME
"""Where `ckptmatrix run` leaves its result, relative to the project."""


def finished_matrix(path: Path | None = None) -> tuple[Matrix, str]:
    """Find and read a finished run.

    Args:
        path: a matrix.json or a directory that holds one; None looks for the last run in the
            working directory and then for the sample that the package brings along.

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
    sample = _sample()
    if sample is None:
        raise NotMeasuredError(
            f"no run is here: there is no {LAST_RUN}, and no sample is installed",
            "run `nox -s matrix`, or name a matrix.json with --matrix",
        )
    matrix = read_matrix(sample)
    return matrix, f"the sample shipped with ckptmatrix ({matrix.run.finished[:10]})"


def baseline_of(root: Path) -> Path | None:
    """The report of an earlier run that a project has committed; None if there is none."""
    sample = root / "reports" / "sample"
    return sample if any(sample.glob("matrix.json*")) else None


def _sample() -> Path | None:
    """Find the sample: in an installed package, or in the checkout it is installed from."""
    package = Path(str(resources.files("ckptmatrix")))
    for place in (package / "sample", package.parents[1] / "reports" / "sample"):
        if any((place / name).is_file() for name in (FILENAME, f"{FILENAME}.gz")):
            return place
    return None
