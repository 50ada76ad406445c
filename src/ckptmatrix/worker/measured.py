"""What a worker finds out of a load: state, component by component, and the training that followed.

Standard library alone, Python 3.9; `protocol.py` sends them. Annotations are evaluated, hence
`Optional`.
"""

from dataclasses import dataclass
from typing import Any, Optional

from ckptmatrix.worker.words import Verdict

Step = dict[str, Any]
"""What was recorded of one step of training: quantity -> value, all of it JSON.

The scenario chooses the quantities; floats are hexadecimal."""


Trace = tuple[Step, ...]
"""Training, step by step."""


@dataclass(frozen=True)
class FirstDifference:
    """The first thing that differs in the training after the load."""

    step: int
    """Step after the load, from 1."""
    quantity: str
    """What differs first."""
    expected: str
    """What it must be: its value in the writer's own training, or a number of the reference."""
    found: str
    """Its value after this load."""


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
