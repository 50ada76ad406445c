"""What host and worker say to each other: each request, and what answers it.

The host asks, `Request[A]`, and gets `Answer[A]`; one line of JSON each way (`wire.py`). Both ends
use this file, so a misspelt field is a type error, or refused as it is read. Standard library
alone, Python 3.9; annotations are evaluated, hence `Optional` and `Union`.
"""

from dataclasses import dataclass
from typing import Any, Generic, Optional, TypeVar, Union, cast, get_args

from ckptmatrix.worker.wire import decode, encode
from ckptmatrix.worker.words import (
    AlterationKind,
    ControlKind,
    Device,
    Ending,
    GpuProblem,
    Verdict,
)

A = TypeVar("A")


@dataclass(frozen=True)
class Returned(Generic[A]):
    """An answer."""

    value: A
    """What was asked for."""


@dataclass(frozen=True)
class NotReturned:
    """No answer, and why."""

    how: Ending
    """How it ended."""
    detail: str
    """One line; for `raised` the traceback."""


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


Step = dict[str, Any]
"""What was recorded of one step of training: quantity -> value, all of it JSON.

The scenario chooses the quantities; floats are hexadecimal."""

Trace = tuple[Step, ...]
"""Training, step by step."""


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


@dataclass(frozen=True)
class Difference:
    """Where a component first differs."""

    where: str
    """Path of the leaf in the component, such as `0/state/1/exp_avg`."""
    saved: str
    """What was saved there, shortened."""
    found: str
    """What is there after the load, shortened."""
    differing: int
    """How many leaves of the component differ."""
    compared: int
    """How many leaves of the component were compared."""


@dataclass(frozen=True)
class FirstDifference:
    """The first thing that differs in the training after the load."""

    step: int
    """Step after the load, from 1."""
    quantity: str
    """What differs first."""
    expected: str
    """Its value in the reference."""
    found: str
    """Its value after this load."""


@dataclass(frozen=True)
class Resume:
    """How training went on after the load."""

    exact: bool
    """Whether every recorded quantity of every step equals the reference."""
    first_difference: Optional[FirstDifference]
    """None if exact."""
    steps: int
    """How many steps were compared."""


@dataclass(frozen=True)
class Raised:
    """An exception that a load raised, or caught and only logged."""

    type: str
    """Class name, with its module unless it is built in."""
    message: str
    """Its text, shortened, without this machine's paths."""
    traceback: str
    """Its last frames, one a line; empty if it was caught."""
    rank: int = 0
    """The process that it was raised in."""


@dataclass(frozen=True)
class Measured:
    """What came of a load. What other ranks have of their own is named with the rank."""

    components: dict[str, Verdict]
    """Component -> verdict."""
    differences: dict[str, Difference]
    """Component -> its first difference."""
    resume: Optional[Resume]
    """None if the load raised in any process, or the scenario cannot train on."""
    error: Optional[Raised]
    """What the load raised; None if it returned."""
    swallowed: tuple[Raised, ...]
    """What it caught and only logged."""
    seconds: float
    """Wall-clock seconds of the load, the comparison and the training that followed."""


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
    """The training that follows a perfect load; None if it has not as many processes."""

    case: Case
    """What would be loaded."""


AnyRequest = Union[Hello, Write, Load, Control, LoadAltered, Alterations, Reference]
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
