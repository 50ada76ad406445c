"""A checkpoint in front of a reader: the one place where a worker is asked to load."""

from collections.abc import Mapping
from dataclasses import dataclass

from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.measure import judge
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.model import Cell, CellRecord
from ckptmatrix.util.room import refuse_nearly_full
from ckptmatrix.util.unfinished import temporary_folder
from ckptmatrix.worker.measured import Trace
from ckptmatrix.worker.protocol import (
    Alteration,
    Alterations,
    Answer,
    Case,
    Control,
    Load,
    LoadAltered,
    LoadAnswer,
    NotReturned,
    Reference,
    Request,
)
from ckptmatrix.worker.words import ControlKind

CELL_SECONDS = 60
"""Time limit for one load and the training that follows."""


@dataclass(frozen=True)
class Loading:
    """What can be asked about a checkpoint while its reader lives.

    Outcomes raise `HarnessError` and `WorkerError`, and `OSError` where there is no room to load.
    """

    cell: Cell
    """Whose outcome it is."""
    worker: Worker
    """The reader."""
    case: Case
    """The checkpoint."""
    loader: str
    """What loads it, `module:function`."""
    seconds: float = CELL_SECONDS
    """Time limit."""

    def outcome(self) -> CellRecord:
        """Load it."""
        return self.measured()[0]

    def measured(self) -> tuple[CellRecord, Mapping[str, str]]:
        """Load it; the outcome, and the files that it hangs on with their fingerprints."""
        return self._answered(Load(self.case, self.loader))

    def control(self, kind: ControlKind) -> CellRecord:
        """Make a control of it."""
        return self._judged(Control(self.case, kind))

    def altered(self, alteration: Alteration, other: str = "") -> CellRecord:
        """Load a copy with one place changed; `other` is a checkpoint of another run."""
        return self._judged(LoadAltered(self.case, self.loader, alteration, other))

    def alterations(self, other: str = "") -> Answer[tuple[Alteration, ...]]:
        """Find every alteration of it; `other` is a checkpoint of another run."""
        return self.worker.ask(Alterations(self.case, other), self.seconds)

    def reference(self) -> Answer[Trace | None]:
        """Train on from a perfect load; None where writer and reader have other processes."""
        return self.worker.ask(Reference(self.case), self.seconds)

    def _judged(self, request: Request[LoadAnswer]) -> CellRecord:
        return self._answered(request)[0]

    def _answered(self, request: Request[LoadAnswer]) -> tuple[CellRecord, Mapping[str, str]]:
        answer = self.worker.ask(request, self.seconds)
        if isinstance(answer, NotReturned) or getattr(answer.value, "error", None):
            refuse_nearly_full(temporary_folder())
        record = judge.outcome(self.cell, answer, now(), str(self.worker.log))
        return record, answer.sources
