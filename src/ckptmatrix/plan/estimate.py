"""How long a run will take, before it starts."""

import os
from dataclasses import dataclass

_ENVIRONMENT = 9.0
"""CPU seconds to build an environment from uv's cache and to start it for the first time."""
_START = 4.0
"""CPU seconds until a worker answers: torch and accelerate are imported once."""
_CHECKPOINT = 0.15
"""CPU seconds to train for an epoch, save, read back and train on."""
_CELL = 0.05
"""CPU seconds of a load and the training after it, until this machine has measured its own."""
_FORK = 0.015
"""CPU seconds that a load costs beside what its process itself can see."""
GPU_SECONDS = 3.0
"""Seconds until a GPU has computed for a process, until this machine has measured its own."""
DISTINCT = 0.3
"""Loads for each cell: writers of one era leave the very same bytes, which are loaded once."""
_REMEDIES = 1.2
"""Remedies for each cell: two where it is not exact, which three of five are."""


@dataclass(frozen=True)
class Work:
    """What is left to do."""

    environments: int
    """Environments to build."""
    writers: int
    """Environments that checkpoints are to be written in."""
    checkpoints: int
    """Checkpoints to write."""
    readers: int
    """Environments that cells are to be measured in."""
    cells: int
    """Cells to measure whose checkpoints are not there yet."""
    loads: int
    """Loads to make of checkpoints that are there."""
    remedies: bool = False
    """Whether remedies are measured beside those that are not exact."""
    cell_seconds: float | None = None
    """Mean wall-clock seconds of the cells measured on this machine so far."""
    on_gpu: int = 0
    """Of the checkpoints and loads, those that are made on a GPU: each in a process of its own."""
    gpu_seconds: float = GPU_SECONDS
    """Seconds until a GPU has computed for a process."""
    gpu_places: int = 1
    """Processes that the GPUs hold at a time."""

    def seconds(self, cores: int | None = None) -> float:
        """Estimate of the wall-clock seconds, with everything in uv's cache."""
        loads = self.loads + self.cells * DISTINCT
        work = (
            self.environments * _ENVIRONMENT
            + (self.writers + self.readers) * _START
            + self.checkpoints * _CHECKPOINT
            + loads * (1 + _REMEDIES * self.remedies) * (_FORK + (self.cell_seconds or _CELL))
        )
        cores = cores or os.cpu_count() or 1
        waking = self.on_gpu * self.gpu_seconds / min(cores, self.gpu_places)
        return work / cores + waking


def reader_seconds(cells: int) -> float:
    """Estimate of the CPU seconds of one reader, the same on every machine.

    Args:
        cells: how many it measures. They count alike: every reader has the same scenarios, so that
            what these cost apart does not tell one reader from another.
    """
    return _ENVIRONMENT + _START + cells * _CELL


def in_words(seconds: float) -> str:
    """`40 s`, `12 min`, `1 h 50 min`."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
