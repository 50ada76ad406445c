"""What a stand-in for a user's own training is built from."""

from dataclasses import dataclass
from typing import cast

from ckptmatrix.worker.wire import decode


@dataclass(frozen=True)
class StandIn:
    """What to build so that a user's directory can be loaded without the user's code.

    The host writes it to a file, and names that as the argument of the scenario `_stand_in`.
    """

    truth: str
    """Stem of the truth's two files."""
    optimizers: tuple[str, ...]
    """Name in `torch.optim` of each optimizer; empty for one that takes any state."""
    schedulers: int
    """How many schedulers."""
    custom: int
    """How many registered objects."""
    scaler: bool
    """Whether it trains in fp16 with a gradient scaler (on a GPU; there is none on the CPU)."""
    tied: tuple[tuple[tuple[str, ...], ...], ...]
    """For each model, the groups of its names that are one tensor."""
    hooked: tuple[str, ...]
    """Files that the script's own hooks read: weights and JSON."""
    hooks: bool
    """Whether hooks take models out of what accelerate loads."""
    opaque: tuple[str, ...]
    """Components that are loaded and not compared."""


def read_stand_in(line: str) -> StandIn:
    """What the host wrote, by `wire.encode`.

    Raises:
        WireError: it is something else.
    """
    return cast(StandIn, decode(StandIn, "stand-in", line))
