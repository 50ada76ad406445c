"""Scenarios that misbehave, to see what becomes of a cell then. They run inside an environment."""

from __future__ import annotations

import os
import random
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
