"""Scenarios that misbehave, to see what becomes of a cell then. They run inside an environment."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training


class Crashing(Basic):
    """Its load kills the process."""

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        os.abort()


class Hanging(Basic):
    """Its load never comes back."""

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        time.sleep(3600)


class Raising(Basic):
    """Its load raises after everything was loaded."""

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        load_state(training.accelerator, directory)
        raise LookupError(f"nothing at {directory}")


class Listing(Basic):
    """What was saved as a tuple comes back as a list of equal values."""

    betas = (0.9, 0.999)

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        load_state(training.accelerator, directory)
        training.optimizers[0].param_groups[0]["betas"] = list(self.betas)


class ListingRaised(Listing):
    """The same, and then the load raises."""

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        super().load(training, directory, load_state)
        raise LookupError(f"nothing at {directory}")


class MislistingRaised(ListingRaised):
    """A value in the list is another."""

    betas = (0.9, 0.99)


class Noisy(Basic):
    """Writes to standard output, past Python as well."""

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        print('{"ended": "returned", "value": {}}', flush=True)
        os.write(1, b"not an answer\n")
        load_state(training.accelerator, directory)


class Constant(Basic):
    """Its custom object is the same in every process, so a load of it cannot be judged."""

    def build(self, device: str) -> Training:
        training = super().build(device)
        training.custom[0].state_dict = lambda: {"always": 1}
        training.custom[0].load_state_dict = lambda state: None
        return training


class Stepless(Basic):
    """Nothing is trained after the load, so nothing can be compared there."""

    def after(self, training: Training) -> list[dict[str, Any]]:
        return []


class Straying(Basic):
    """Everything comes back, but the third step draws once more than it should."""

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        load_state(training.accelerator, directory)
        training.extra.strays = True

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        if hasattr(training.extra, "strays") and len(training.recorded) == 2:
            random.random()
        return super().step(training, batch)


class StrayingOn(Straying):
    """The same; more is recorded than comes by itself."""

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        record = super().step(training, batch)
        record["later"] = "added when it had been recorded"
        return record


class Threaded(Basic):
    """What it names to exercise starts a thread."""

    def exercise(self, reads: bool) -> None:
        start_thread()


class Restless(Basic):
    """The first time that it is asked what it can do, it starts a thread.

    Args:
        flag: file that says that it did.
    """

    def __init__(self, flag: str) -> None:
        self.flag = Path(flag)

    def unsupported_reader(self, device: str) -> str:
        if not self.flag.exists():
            self.flag.touch()
            start_thread()
        return ""


class Restive(Basic):
    """Whenever it is asked what it can do, it starts a thread."""

    def unsupported_reader(self, device: str) -> str:
        start_thread()
        return ""


def start_thread() -> None:
    threading.Thread(target=threading.Event().wait, daemon=True).start()


class Unsupported(Basic):
    """No release can do it."""

    def unsupported(self, device: str) -> str:
        return "no release can do this"


class Misbuilt(Basic):
    """What was asked for is not what was built."""

    def verify(self, training: Training) -> None:
        raise RuntimeError("asked for a model of one kind, got another")


class Unsavable(Basic):
    """Its save raises."""

    def save(self, training: Training, parent: str) -> str:
        raise OSError("disk full")


class Killed(Basic):
    """Somebody kills a process while it works.

    Args:
        when: `VICTIM,METHOD,FLAG`: `worker` or `child`, while it saves or loads; once, after which
            the file FLAG is there, or each time where that is empty.
    """

    def __init__(self, when: str) -> None:
        self.victim, self.method, self.flag = when.split(",")

    def save(self, training: Training, parent: str) -> str:
        saved = super().save(training, parent)
        if self.method == "save" and not Path(self.flag).exists():
            Path(parent, "half").touch()  # a part of it is there already
        self._killed("save")
        return saved

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        self._killed("load")
        super().load(training, directory, load_state)

    def _killed(self, method: str) -> None:
        if method != self.method or (self.flag and Path(self.flag).exists()):
            return
        if self.flag:
            Path(self.flag).touch()
        os.kill(worker_above() if self.victim == "worker" else os.getpid(), signal.SIGKILL)
        time.sleep(3600)


def worker_above() -> int:
    """The worker's process, of which this is a child or a child's child."""
    found = os.getpid()
    parent = os.getppid()
    while b"ckptmatrix.worker" in Path(f"/proc/{parent}/cmdline").read_bytes():
        found = parent
        fields = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()
        parent = int(fields[1])
    return found
