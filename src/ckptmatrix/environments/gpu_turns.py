"""Turns on the GPUs: no more processes at a time than their memory holds, each GPU as many.

A child that works on a GPU keeps some hundreds of megabytes of it for itself. A turn is a locked
file, so those of every process that measures in a home count together, and end with it.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from ckptmatrix.model import Gpus
from ckptmatrix.util.home import Home

UNMEASURED = 700 * 2**20
"""Bytes that a process takes, where that could not be measured."""

_USED = 0.9
"""The part of the free memory that is dealt out; trainings take a little more than a context."""

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_started = count()


@dataclass(frozen=True)
class GpuTurns:
    """The turns of one worker: on which GPU, and how many others may work there with it."""

    folder: Path
    """Where the turns lie."""
    gpu: int
    """Which GPU comes first for it, from 0; the others stay visible behind it."""
    gpus: int
    """How many there are."""
    places: int
    """Turns at a time on that GPU."""

    @classmethod
    def of(cls, home: Home, gpus: Gpus, process_bytes: int) -> "GpuTurns":
        """The turns of another worker of this process: GPUs are dealt out one after the other."""
        number = (_process_number() + next(_started)) % gpus.count
        return cls(home.root / "gpus", number, gpus.count, places_on(gpus, process_bytes)[number])

    def visible(self, host: Mapping[str, str]) -> str:
        """Value of CUDA_VISIBLE_DEVICES: all GPUs that the host sees, its own first."""
        listed = host.get(_VISIBLE)
        names = listed.split(",") if listed else [str(number) for number in range(self.gpus)]
        return ",".join([*names[self.gpu :], *names[: self.gpu]])

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until the GPU has room, and keep it while the block runs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        locks = [FileLock(self.folder / f"{self.gpu}-{place}") for place in range(self.places)]
        while True:
            for lock in locks:
                try:
                    lock.acquire(blocking=False)
                except Timeout:
                    continue
                try:
                    yield
                finally:
                    lock.release()
                return
            time.sleep(0.01)


def places_on(gpus: Gpus, process_bytes: int) -> tuple[int, ...]:
    """How many processes each GPU holds at a time, one at least."""
    each = process_bytes or UNMEASURED
    free = gpus.free or (0,) * gpus.count
    return tuple(max(1, int(_USED * bytes_) // each) for bytes_ in free)


def _process_number() -> int:
    """Which of xdist's processes this is, from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
