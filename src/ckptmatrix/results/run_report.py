"""The report of a run: judged and written, or left as it stands if nothing has changed."""

from dataclasses import dataclass, replace
from pathlib import Path

from ckptmatrix.errors import UsageError
from ckptmatrix.measure.measured_run import MeasuredRun
from ckptmatrix.model import Matrix
from ckptmatrix.results.assemble import inputs_digest, judged_matrix
from ckptmatrix.results.conclusion import Conclusion, concluded
from ckptmatrix.results.findings.comparison import on_common_ground
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.report import write_page
from ckptmatrix.results.report.page import page_of
from ckptmatrix.results.report_cache import ReportCache


@dataclass(frozen=True)
class RunReport:
    """Where a run's report goes, and what it is made from beside the outcomes."""

    directory: Path
    """Where it goes."""
    expectations: Path
    """The file of what is expected."""
    baseline: Path | None = None
    """An earlier run to compare with; None compares with nothing."""

    def standing(self, measured: MeasuredRun) -> Conclusion | None:
        """The conclusion of the report that lies there; None if anything has changed since."""
        conclusion = self._cache(measured).recall(inputs_digest(measured))
        return conclusion and replace(conclusion, measured=0)

    def make(self, measured: MeasuredRun) -> tuple[Conclusion, Matrix]:
        """Judge a run, write its report and remember what it was made from.

        Raises:
            NothingRanError: no cell has an outcome.
            UsageError: the directory cannot be written to.
        """
        key, matrix = inputs_digest(measured), judged_matrix(measured)
        conclusion = self.write(matrix)
        self._cache(measured).keep(key, conclusion)
        return conclusion, matrix

    def write(self, matrix: Matrix) -> Conclusion:
        """Write the report of a judged matrix.

        Raises:
            UsageError: the directory cannot be written to.
        """
        before = on_common_ground(read_matrix(self.baseline), matrix) if self.baseline else None
        page = page_of(matrix, before)
        try:
            files = write_page(page, self.directory)
        except OSError as error:
            raise UsageError(
                f"{self.directory} cannot be written to: {error.strerror}",
                "name another directory; what was measured is kept",
            ) from error
        return concluded(page, next(file for file in files if file.suffix == ".html"))

    def _cache(self, measured: MeasuredRun) -> ReportCache:
        inputs = (self.expectations, *((self.baseline,) if self.baseline else ()))
        return ReportCache(measured.job.site.home, self.directory, inputs)
