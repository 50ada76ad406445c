"""The processes of a run, as the kernel lists them, and what each is there for."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Role(StrEnum):
    """What a process is there for."""

    RUN = "run"
    """`ckptmatrix run` itself."""
    PYTEST = "pytest process"
    """One that pytest deals readers out to."""
    WORKER = "worker"
    """In an environment: asked by one of the above."""
    CHILD = "child"
    """Forked from a worker, or from such a child: a stage, a write, a load."""
    OTHER = "other"
    """uv, or one that asks the driver."""


@dataclass(frozen=True)
class Process:
    """A process; another one that is given its number later is not the same."""

    pid: int
    """Its number."""
    started: int
    """When it started, in clock ticks since the machine did."""
    parent: int
    """Number of its parent."""
    role: Role
    """What it is there for."""

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that only waits to be asked how it ended does not."""
        found = _stat(self.pid)
        return found is not None and found.started == self.started and found.state not in "ZX"

    def kill(self) -> bool:
        """Kill it (SIGKILL); whether it was there."""
        if not self.alive:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            return True
        return False


def processes_of(run: int) -> tuple[Process, ...]:
    """A process and all that descend from it, parents first.

    Args:
        run: number of `ckptmatrix run`.
    """
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    stats = {pid: _stat(pid) for pid in pids}
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        if stat is not None and stat.state not in "ZX":
            children.setdefault(stat.parent, []).append(pid)
    found: list[Process] = []
    todo: list[tuple[int, Role]] = [(run, Role.RUN)]
    while todo:
        pid, role = todo.pop(0)
        stat = stats.get(pid)
        if stat is None:
            continue
        found.append(Process(pid, stat.started, stat.parent, role))
        todo += [(child, _role(child, role)) for child in children.get(pid, ())]
    return tuple(found)


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    started: int


def _stat(pid: int) -> _Stat | None:
    """What `/proc/PID/stat` tells (proc(5)); None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold anything
    return _Stat(fields[0], int(fields[1]), int(fields[19]))


def _role(pid: int, parent: Role) -> Role:
    if parent in (Role.WORKER, Role.CHILD):
        return Role.CHILD
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return Role.OTHER
    if b"ckptmatrix.worker" in command:
        return Role.WORKER
    return Role.PYTEST if b"exec(eval(" in command else Role.OTHER
