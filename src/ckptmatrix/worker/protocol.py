"""What host and worker say to each other: each request, and what answers it.

The host asks, `Request[A]`, and gets `Answer[A]`; one line of JSON each way (`wire.py`). Both ends
use this file, so a misspelt field is a type error, or refused as it is read. Standard library
alone, Python 3.9; annotations are evaluated, hence `Optional` and `Union`.
"""

from dataclasses import dataclass, field
from typing import Any, Generic, Optional, TypeVar, Union, cast, get_args

from ckptmatrix.worker.measured import FirstDifference, Measured, Trace
from ckptmatrix.worker.wire import decode, encode
from ckptmatrix.worker.words import (
    AlterationKind,
    ControlKind,
    Device,
    Ending,
    GpuProblem,
)

A = TypeVar("A")


@dataclass(frozen=True)
class Returned(Generic[A]):
    """An answer."""

    value: A
    """What was asked for."""
    sources: dict[str, str] = field(default_factory=dict, compare=False)
    """File that no release brings and the answer hangs on -> its fingerprint (`touched.py`)."""


@dataclass(frozen=True)
class Origin:
    """Where code of ckptmatrix or of a scenario raised."""

    phase: str
    """The scenario's method that was running, such as `build`, or what else was done."""
    type: str
    """Class name of the exception, with its module unless it is built in."""
    message: str
    """Its text, shortened."""
    file: str
    """The script's own file that raised or called what raised; empty if there is none."""
    line: int
    """Line in it, from 1."""


@dataclass(frozen=True)
class NotReturned:
    """No answer, and why."""

    how: Ending
    """How it ended."""
    detail: str
    """One line; for `raised` the traceback."""
    origin: Optional[Origin] = None
    """For `raised`: where."""
    sources: dict[str, str] = field(default_factory=dict, compare=False)
    """As of what was returned."""


Answer = Union[Returned[A], NotReturned]


class Request(Generic[A]):
    """What a worker can be asked; `A` is what it answers."""


@dataclass(frozen=True)
class Unsupported:
    """This release cannot do it on this device."""

    reason: str
    """Why, in one sentence; never concluded from a failure."""


@dataclass(frozen=True)
class Gpu:
    """The GPU that trainings run on."""

    name: str
    """What the driver calls it; empty where none was found."""
    problem: Optional[GpuProblem] = None
    """Why it cannot be used; None if it can."""
    text: str = ""
    """The same in one sentence."""


@dataclass(frozen=True)
class Introduction:
    """What an environment is."""

    accelerate: str
    """Version of accelerate."""
    python: str
    """Version of Python."""
    torch: str
    """Version of torch, local part included."""
    numpy: str
    """Version of numpy."""
    safetensors: str
    """Version of safetensors."""
    gpu: Optional[Gpu]
    """The GPU; None on the CPU."""
    warm: tuple[str, ...]
    """Modules that were imported beforehand, those that a rehearsal found missing among them."""


@dataclass(frozen=True)
class Hello(Request[Introduction]):
    """Import what cells will need, and say what is here."""

    device: Device
    """The device to look for."""
    warm: tuple[str, ...]
    """Modules to import."""
    rehearse: bool
    """Whether to find out by a rehearsal what else a cell imports, and import that as well."""


@dataclass(frozen=True)
class GpuCost:
    """What a process costs that trains on a GPU."""

    bytes: int
    """Of the GPU's memory; 0 if it could not be told."""
    seconds: float
    """Until the GPU has computed for it."""


@dataclass(frozen=True)
class Weigh(Request[GpuCost]):
    """Find out what a process costs on the GPU."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was written; `truth.json` and `truth.safetensors` lie beside it."""

    directory: str
    """Its path below the target."""
    files: dict[str, int]
    """Path in it -> size in bytes."""
    keys: dict[str, tuple[str, ...]]
    """Path in it -> top-level keys of what the file holds, where it has some."""
    hashes: dict[str, str]
    """Path in it -> SHA-256."""
    unsaved: dict[str, tuple[str, ...]]
    """Component -> paths of its leaves that are not in the files, or lie there otherwise."""
    tied: dict[str, str]
    """Weight that the files left out -> the one that it shares its memory with."""
    digest: str
    """SHA-256 of the neutral state."""
    trace: Trace
    """The training after the save."""
    note: str = ""
    """What is to be said of it and of each load of it."""
    unreproduced: Optional[FirstDifference] = None
    """Where the neutral state, put into new objects of the writer's own environment, leads
    elsewhere: no component captures what is missing. None if it leads to the same."""


@dataclass(frozen=True)
class SaveFailed:
    """The save raised."""

    reason: str
    """What it raised, in one line."""


WriteAnswer = Union[Saved, SaveFailed, Unsupported]


@dataclass(frozen=True)
class Write(Request[WriteAnswer]):
    """Train, save, train on."""

    scenario: str
    """`module:object`."""
    device: Device
    """Where to train."""
    target: str
    """An empty directory to save below."""
    seed: Optional[int] = None
    """For another run than the usual one."""


@dataclass(frozen=True)
class Case:
    """A checkpoint in front of a reader, and what a load of it is judged by."""

    scenario: str
    """`module:object`, or `module:class@argument`."""
    device: Device
    """Where to load it."""
    directory: str
    """The checkpoint."""
    truth: str
    """Stem of the neutral state's files, without `.json` and `.safetensors`."""
    digest: str
    """Digest of the neutral state: cases that share it share their references."""
    unsaved: dict[str, tuple[str, ...]]
    """Component -> paths that the writer did not save; empty for all of an unknown one."""
    trace: Trace = ()
    """The writer's own training after the save; empty if nothing is known of it."""
    unreproduced: Optional[FirstDifference] = None
    """Where the neutral state does not lead to that in the writer's own environment."""


LoadAnswer = Union[Measured, Unsupported]


@dataclass(frozen=True)
class Load(Request[LoadAnswer]):
    """Load, compare, train on, compare."""

    case: Case
    """What to load."""
    loader: str
    """What loads it, `module:function`."""


@dataclass(frozen=True)
class Control(Request[LoadAnswer]):
    """The same with a load whose outcome is known."""

    case: Case
    """What not to load."""
    kind: ControlKind
    """What is done instead."""


@dataclass(frozen=True)
class Alteration:
    """One change of one place of a checkpoint."""

    file: str
    """Path below the checkpoint's directory."""
    path: tuple[Union[str, int], ...]
    """Keys and indices into what the file holds; empty for the file itself."""
    kind: AlterationKind
    """What is done there."""
    owners: tuple[str, ...]
    """Components that the place belongs to."""
    size: int
    """Bytes of the value, roughly; the largest shows a component best."""
    constant: bool
    """Whether another run has the very same value there."""
    sliced: bool = False
    """Whether it may be of one of the owners alone, as each process holds a slice."""


@dataclass(frozen=True)
class LoadAltered(Request[LoadAnswer]):
    """Load a copy of the checkpoint with one place changed."""

    case: Case
    """The checkpoint as it is."""
    loader: str
    """What loads the copy, `module:function`."""
    alteration: Alteration
    """What to change."""
    other: str
    """A checkpoint of another run of the scenario; empty if the change needs none."""


@dataclass(frozen=True)
class Alterations(Request[tuple[Alteration, ...]]):
    """Every change of a checkpoint that changes what is in it."""

    case: Case
    """The checkpoint."""
    other: str
    """A checkpoint of another run of the scenario; empty if there is none."""


@dataclass(frozen=True)
class Reference(Request[Optional[Trace]]):
    """The training that follows a perfect load; None if no load keeps the processes."""

    case: Case
    """What would be loaded."""


AnyRequest = Union[Hello, Weigh, Write, Load, Control, LoadAltered, Alterations, Reference]
"""Every request there is."""


@dataclass(frozen=True)
class Question:
    """A request as it is sent."""

    request: AnyRequest
    """What is asked."""
    seconds: float
    """Time limit of the child that does it."""
    paths: tuple[str, ...]
    """Folders to import scenarios and loaders of a user from."""


def question_line(request: Request[Any], seconds: float, paths: tuple[str, ...]) -> str:
    """What the host sends."""
    return encode(Question(cast(AnyRequest, request), seconds, paths))


def read_question(line: str) -> Question:
    """What the worker was asked.

    Raises:
        WireError: it is no request, or one of its fields is wrong.
    """
    return cast(Question, decode(Question, "question", line))


def answer_line(request: Request[A], answer: Answer[A]) -> str:
    """What the worker sends; by its types it can only be an answer to what was asked."""
    return encode(answer)


def read_answer(request: Request[A], line: str) -> Answer[A]:
    """What the host was answered.

    Raises:
        WireError: it is no answer to this request, or one of its fields is wrong.
    """
    value: Any = answer_type(type(request))
    return cast(Answer[A], decode(Union[Returned[value], NotReturned], "answer", line))


def answer_type(request: type[Request[A]]) -> Any:
    """`A` of a kind of request."""
    (base,) = (base for base in request.__orig_bases__ if get_args(base))  # type: ignore[attr-defined]
    return get_args(base)[0]
