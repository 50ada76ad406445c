"""A checkpoint of one's own as one more scenario of a question: loaded as `try` loads it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import CkptmatrixError, NothingRanError
from ckptmatrix.measure import judge
from ckptmatrix.measure.directory.attempt import Wish
from ckptmatrix.measure.directory.copying import wanted
from ckptmatrix.measure.directory.refusals import refuse, why_sharded
from ckptmatrix.measure.directory.row import DirectoryRow, try_directory
from ckptmatrix.measure.directory.stand_in import hooked_files
from ckptmatrix.model import (
    Cell,
    CellRecord,
    Environment,
    EnvironmentStatus,
    Matrix,
    Status,
    Treatment,
)
from ckptmatrix.results.check.question import Question
from ckptmatrix.results.findings.views import TODAY, View

_REMEDIES = (
    View("accelerate", Treatment.REPAIRED),
    View("ckptmatrix", Treatment.AS_SAVED),
)


def refuse_directory(directory: Path, trust: bool) -> None:
    """Refuse at once what could not be loaded later, or of which nobody knows what it runs.

    Raises:
        UsageError: it is no directory that `load_state` loads, or not trusted.
        CkptmatrixError: a file is damaged.
    """
    found = inspect(directory)
    if not why_sharded(found.facts):
        refuse(found, wanted(found.facts, hooked_files(found)), trust)


def with_directory(
    matrix: Matrix,
    question: Question,
    site: Site,
    readers: Iterable[Environment],
    say: Callable[[str], None],
) -> Matrix:
    """Load the question's directory in some environments, and put that into the matrix.

    It counts as written by the old environment; where it does not come back whole elsewhere, the
    remedies are tried as well. There is no way back: nothing of it was written by the new one.

    Args:
        matrix: what was measured of the scenarios.
        question: what is asked.
        site: where the readers are declared.
        readers: in which to load it.
        say: called with what a person should know before it takes long.

    Raises:
        UsageError: it is no directory that `load_state` loads, or not trusted.
        CkptmatrixError: a file is damaged, there is no room, or a load has no outcome.
    """
    directory = question.directory
    if directory is None:
        return matrix
    readers = tuple(readers)
    sharded = why_sharded(inspect(directory).facts)
    if sharded:
        blanks = (_blank(question, reader, f"it {sharded}") for reader in readers)
        return replace(matrix, cells=(*matrix.cells, *blanks))

    def row(view: View, places: tuple[Environment, ...]) -> DirectoryRow:
        repaired = view.treatment is Treatment.REPAIRED
        wish = Wish(
            directory, site, places, view.loader, repaired, question.trust, jobs=question.jobs
        )
        return try_directory(wish, say)

    plain = row(TODAY, readers)
    rows = [plain]
    others = [
        reader
        for reader, cell in zip(readers, plain.cells, strict=True)
        if reader != question.old.environment and cell.status is not Status.EXACT
    ]
    for view in _REMEDIES if others else ():
        try:
            rows.append(row(view, tuple(others)))
        except CkptmatrixError as error:
            say(f"{view.title} could not be tried: {error.message}")
    return _with_rows(matrix, question, rows, directory)


def _with_rows(
    matrix: Matrix, question: Question, rows: list[DirectoryRow], directory: Path
) -> Matrix:
    cells = []
    for row in rows:
        for cell in row.cells:
            ready = row.environments[cell.reader].status is EnvironmentStatus.READY
            if ready and cell.status is Status.NOT_RUN:
                raise NothingRanError(
                    f"{directory} could not be loaded in {cell.reader}: {cell.reason}",
                    "see `ckptmatrix try`, or leave out --checkpoint",
                )
            own = question.old.environment.id
            cells.append(replace(cell, writer=own, scenario=question.label))
    causes = {id_: cause for row in rows for id_, cause in row.causes.items()}
    return replace(matrix, cells=(*matrix.cells, *cells), causes={**matrix.causes, **causes})


def _blank(question: Question, reader: Environment, reason: str) -> CellRecord:
    own = question.old.environment
    cell = Cell(own, reader, question.label)
    return judge.blank(cell, Status.NOT_RUN, reason)
