"""A checkpoint in front of a reader: the one place where a worker is asked to load."""

from dataclasses import dataclass

from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.measure import judge
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.model import Cell, CellRecord
from ckptmatrix.worker.protocol import (
    Alteration,
    Alterations,
    Answer,
    Case,
    Control,
    Load,
    LoadAltered,
    LoadAnswer,
    Reference,
    Request,
    Trace,
)
from ckptmatrix.worker.words import ControlKind

CELL_SECONDS = 60
"""Time limit for one load and the training that follows."""


@dataclass(frozen=True)
class Loading:
    """What can be asked about a checkpoint while its reader lives.

    Outcomes raise `HarnessError` and `WorkerError`.
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
        return self._judged(Load(self.case, self.loader))

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
        return judge.outcome(self.cell, self.worker.ask(request, self.seconds), now())
