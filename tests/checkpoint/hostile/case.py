"""Hostile and malformed checkpoints, made by code: each a sound one with one file put wrong.

What a case must come to:

* `DANGEROUS`: loading the file may run code, kill the process or show content that was not seen;
* `DAMAGED`: nothing can be made of it;
* `NAMED`: it names what nobody knows (a class of some script);
* `ODD`: sound as a file; whatever is said of it, nothing may run, hang or fall.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.checkpoint.hostile.opcodes import call

CUSTOM = "custom_checkpoint_0.pkl"
STATES = ("optimizer.bin", "random_states_0.pkl", "scheduler.bin", CUSTOM)
WEIGHTS, BIN = "model.safetensors", "pytorch_model.bin"


class Expected(StrEnum):
    """What a case must come to."""

    DANGEROUS = "dangerous"
    DAMAGED = "damaged"
    NAMED = "named"
    ODD = "odd"


@dataclass(frozen=True)
class Case:
    """One checkpoint."""

    name: str
    expected: Expected
    make: Callable[[Path], object]
    """Puts a sound checkpoint wrong."""
    file: str = ""
    """The file that is wrong, if it is one that a loader reads."""


def write(file: str, content: str) -> Callable[[Path], object]:
    return lambda directory: (directory / file).write_text(content)


def cut(file: str, kept: float) -> Callable[[Path], object]:
    def shorten(directory: Path) -> None:
        data = (directory / file).read_bytes()
        (directory / file).write_bytes(data[: int(len(data) * kept)])

    return shorten


def put(name: str, expected: Expected, data: bytes, file: str = CUSTOM) -> Case:
    return Case(f"{name} [{file}]", expected, lambda d: (d / file).write_bytes(data), file)


D, X, N, ANY = Expected.DANGEROUS, Expected.DAMAGED, Expected.NAMED, Expected.ODD
MARK = "touch was-run"
"""What a payload runs: it leaves a file where the process is."""
RUN = call("os.system", MARK)
