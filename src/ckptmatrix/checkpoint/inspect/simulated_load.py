"""One imagined load: who reads, what has become of each component, what opening a file does."""

from dataclasses import dataclass, field

from packaging.version import Version

from ckptmatrix.checkpoint.format.file_fact import FileFact, Reading
from ckptmatrix.checkpoint.format.numpy_core import NumpyCore
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp
from ckptmatrix.checkpoint.inspect.training_stacks import TrainingStack
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.knowledge.releases import ACCELERATE, NUMPY, TORCH, Release, refused_globals
from ckptmatrix.model import Verdict


class RaisedError(Exception):
    """Ends the imagined load as the real one would end.

    Attributes:
        raises: start of the real exception's text.
        cause: why.
        reason: the same in a sentence.
        refused: names that a file's pickle was refused for.
    """

    def __init__(
        self, raises: str, cause: CauseId, reason: str, refused: tuple[str, ...] = ()
    ) -> None:
        super().__init__(raises)
        self.raises, self.cause, self.reason = raises, cause, reason
        self.refused = refused


@dataclass(frozen=True)
class Reader:
    """Who loads."""

    accelerate: str
    """Release of accelerate."""
    torch: str
    """Version of torch."""
    numpy: str
    """Version of numpy."""

    @property
    def release(self) -> Release:
        """What its accelerate does."""
        return ACCELERATE.at(self.accelerate)

    @property
    def newest_fsdp(self) -> int:
        """The newest FSDP that accelerate makes on its torch; 0 where none was measured."""
        return TORCH.at(self.torch).newest_fsdp

    @property
    def refuses(self) -> bool:
        """Whether files of tensors and random states are loaded with `weights_only`."""
        if self.release.asks_weights_only:
            return Version(self.torch) >= Version(self.release.weights_only_from)
        return self.refuses_by_default

    @property
    def refuses_by_default(self) -> bool:
        """Whether a `torch.load` that says nothing is `weights_only`."""
        return TORCH.at(self.torch).refuses_by_default

    def refused(self, file: FileFact, weights_only: bool) -> tuple[str, ...]:
        """Names in the pickle that stop this reader from loading it."""
        names = tuple(file.globals)
        if weights_only:
            return refused_globals(
                names, accelerate=self.accelerate, torch=self.torch, numpy=self.numpy
            )
        if not NUMPY.at(self.numpy).knows_new_core:
            return tuple(name for name in names if name.startswith(f"{NumpyCore.NUMPY_2}."))
        return ()


@dataclass
class SimulatedLoad:
    """The imagined load: what has become of each component so far."""

    facts: Facts
    """What is loaded."""
    reader: Reader
    """Who loads it."""
    stack: TrainingStack
    """Which scripts wrote it, and load it."""
    fsdp: Fsdp | None = None
    """The version of FSDP that the script uses; None if it uses none."""
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    """Component -> what has become of it."""
    notes: list[tuple[CauseId, str]] = field(default_factory=list)
    """(cause, reason) of what went wrong silently."""


class NotPredictedError(Exception):
    """Ends the imagined load where nobody can say how the real one goes on; the text says why."""


def unreadable(file: FileFact) -> RaisedError:
    """What comes of loading a file that was not read.

    Raises:
        NotPredictedError: another program may read it.
    """
    if file.reading is Reading.UNREAD or file.dangerous:
        raise NotPredictedError(f"{file.name} {file.problem}: do not load it.")
    if file.reading is Reading.ABSENT and not file.raises:
        raise NotPredictedError(f"{file.name} {file.problem}; a load may open it.")
    return RaisedError(file.raises, CauseId.DAMAGED_FILE, f"{file.name} {file.problem}.")


def open_file(load: SimulatedLoad, name: str, *, weights_only: bool) -> None:
    """What `torch.load` of one file does; raises as it would."""
    file = load.facts.file(name)
    if file is None:
        raise RaisedError(
            f"FileNotFoundError: [Errno 2] No such file or directory: '.../{name}'",
            CauseId.FILE_MISSING,
            f"{name} is not in the directory.",
        )
    if file.problem:
        raise unreadable(file)
    refused = load.reader.refused(file, weights_only)
    if not refused:
        return
    listed = ", ".join(refused[:3])
    if weights_only:
        raise RaisedError(
            "_pickle.UnpicklingError: Weights only load failed",
            CauseId.PICKLE_REFUSED,
            f"{name} names {listed}, which the weights-only load of torch "
            f"{load.reader.torch} refuses.",
            refused,
        )
    raise RaisedError(
        "ModuleNotFoundError: No module named 'numpy._core'",
        CauseId.NUMPY_CORE_MISSING,
        f"{name} was written under numpy 2; numpy {load.reader.numpy} has no {listed}.",
    )
