"""A training script as a scenario: one function that yields at its saves and takes `resume_from`.

    def train(resume_from=None):
        accelerator = Accelerator()
        ...
        if resume_from:
            accelerator.load_state(resume_from)
        for batch in loader:
            ...
            accelerator.save_state("checkpoint")
            yield "checkpoint"

`matrix.toml` names it as it is, `module:train`; what cannot be seen by watching it is told by a
`Script` around it. The components are those that accelerate holds: what was prepared or registered.
"""

from __future__ import annotations

import copy
import inspect
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ckptmatrix.worker import watching
from ckptmatrix.worker.measured import Step
from ckptmatrix.worker.release import release
from ckptmatrix.worker.script_state import (
    COMPONENTS,
    GENERATORS,
    can_be_put_back,
    stored_by_script,
)
from ckptmatrix.worker.training import Scenario, Training, seed_everything
from ckptmatrix.worker.watching import Watched
from ckptmatrix.worker.words import Device

SCRIPT = Callable[..., Iterator[Any]]


class ScriptError(Exception):
    """A script does not do what is asked of one; the message says what to change."""


class Script(Scenario):
    """A scenario made of a function that yields at its saves.

    It is called in an empty folder of its own (one for all processes of a training), so that what
    it saves under a relative path lies there. Its random states count as they are when `load_state`
    returns, all else as it is when the script then begins to iterate over its data: what it does in
    between is part of its resume.

    Args:
        train: called with `resume_from`, a directory or None; yields where it has saved: the
            directory, or nothing where it is the one that `save_state` was given.
        steps: how many calls of `accelerator.backward` are compared after the save; fewer where the
            script ends before.
        save: which of its yields counts, from 1.
        watch: names of the function's own variables that must come back as well: each has
            `state_dict` and `load_state_dict`, or is a dict, or an object with attributes.
        files: patterns of the files that its hooks write, and the component they belong to.
        processes: how many the writer trains with, and how many the reader.
        since: the first release of accelerate that has what it needs.
    """

    components = COMPONENTS
    stageable = False

    def __init__(
        self,
        train: SCRIPT,
        *,
        steps: int = 6,
        save: int = 1,
        watch: tuple[str, ...] = (),
        files: tuple[tuple[str, str], ...] = (),
        processes: tuple[int, int] = (1, 1),
        since: str = "",
    ) -> None:
        if "resume_from" not in inspect.signature(train).parameters:
            raise ScriptError(f"{_name(train)} takes no resume_from: add it, with None as default")
        self.train = train
        self.steps = steps
        self.save_number = save
        self.watch = (watch,) if isinstance(watch, str) else tuple(watch)
        self.files = files
        self.processes = processes
        self.since = since
        self.resume_from: str | None = None

    def facing(self, directory: str) -> Script:
        found = copy.copy(self)
        found.resume_from = directory
        return found

    def unsupported(self, device: str) -> str:
        wanted = tuple(int(part) for part in self.since.split(".") if part.isdigit())
        return f"the script needs accelerate {self.since} or newer" if release() < wanted else ""

    def build(self, device: str) -> Training:
        """The writer's: run to the save; one that faces a checkpoint, to its `load_state`."""
        if self.resume_from is not None:
            return self.build_reader(device)
        script = self._begin(device, None)
        left = self.save_number
        directory = None
        try:
            while left:
                event = script.advance()
                if isinstance(event, watching.Ended):
                    raise ScriptError(
                        f"{_name(self.train)} ended after {self.save_number - left} yields, before "
                        f"the one that counts ({self.save_number}): let it yield where it has saved"
                    )
                if isinstance(event, watching.Yielded):
                    left, directory = left - 1, event.directory
        except Exception as error:
            if error is not script.failed_save:
                raise
        if script.failed_save is None and not os.path.isdir(directory or ""):
            raise ScriptError(
                f"{_name(self.train)} yielded {directory!r}, which is no directory: let it yield "
                "the one it saved into, or nothing right after save_state"
            )
        training = self._training(script)
        training.extra.saved = directory
        return training

    def build_reader(self, device: str) -> Training:
        """The reader's: run to its `load_state`."""
        seed = random.getrandbits(32)
        script = self._begin(device, self.resume_from)
        while True:
            event = script.advance()
            if isinstance(event, watching.Loading):
                seed_everything(seed)  # a script that seeds itself would be where the writer was
                return self._training(script)
            if isinstance(event, (watching.Stepping, watching.Yielded, watching.Ended)):
                raise ScriptError(
                    f"{_name(self.train)} was given resume_from and {_AHEAD[type(event)]} before "
                    "it called accelerator.load_state: a script that resumes otherwise needs a "
                    "scenario of its own"
                )

    def before(self, training: Training) -> None:
        pass

    def save(self, training: Training, parent: str) -> str:
        script: Watched = training.extra.script
        if script.failed_save is not None:
            self._leave(training)
            raise script.failed_save
        directory = os.path.realpath(training.extra.saved)
        place = os.path.realpath(training.extra.place)
        inside = os.path.commonpath([place, directory]) == place
        name = os.path.relpath(directory, place) if inside else os.path.basename(directory)
        copied = os.path.join(parent, name)
        training.accelerator.wait_for_everyone()  # each process has saved its part
        if training.accelerator.is_main_process:
            shutil.copytree(directory, copied)
        training.accelerator.wait_for_everyone()
        return copied

    def load(self, training: Training, directory: str, load_state: Callable[..., object]) -> None:
        """Let the script load, and go on to where it begins to train."""
        script: Watched = training.extra.script

        def there(accelerator: Any, place: Any, *args: Any, **named: Any) -> object:
            # What is loaded may be a copy of what the script was given.
            place = directory if place == self.resume_from else place
            return load_state(accelerator, place, *args, **named)

        try:
            event = script.advance(there)
            if isinstance(event, watching.Loaded):
                for part in GENERATORS:
                    part.keep(training)
                event = script.advance()
        except BaseException:
            self._leave(training)
            raise
        training.extra.pending = event

    def after(self, training: Training) -> list[Step]:
        script: Watched = training.extra.script
        first, training.extra.pending = training.extra.pending, None
        try:
            while len(training.recorded) < self.steps:
                event = first or script.advance()
                first = None
                if isinstance(event, watching.Stepping):
                    training.recorded.append(event.step)
                if isinstance(event, watching.Ended):
                    break
            training.accelerator.wait_for_everyone()  # they share the folder that is left
        finally:
            self._leave(training)
        if not training.recorded:
            raise ScriptError(
                f"{_name(self.train)} ends without a step after its save: let it train on, with "
                "accelerator.backward, so that there is something to compare"
            )
        return training.recorded

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        return stored_by_script(training, directory)

    def _begin(self, device: str, resume_from: str | None) -> Watched:
        if device == Device.CPU:
            os.environ["ACCELERATE_USE_CPU"] = "true"
        place = _shared_place() or tempfile.mkdtemp()
        os.chdir(place)
        script = Watched(partial(self._started, resume_from))
        self._place = place
        return script

    def _started(self, resume_from: str | None) -> Iterator[Any]:
        found = self.train(resume_from=resume_from)
        if not hasattr(found, "__next__"):
            raise ScriptError(
                f"{_name(self.train)} yields nothing: let it yield where it has saved"
            )
        return found

    def _training(self, script: Watched) -> Training:
        if not script.accelerators:
            raise ScriptError(f"{_name(self.train)} has made no Accelerator")
        accelerator = script.accelerators[-1]
        training = Training(
            accelerator,
            *(
                getattr(accelerator, name, ())
                for name in (
                    "_models", "_optimizers", "_schedulers", "_dataloaders", "_custom_objects",
                )
            ),
        )  # fmt: skip
        training.extra.script, training.extra.place = script, self._place
        training.extra.pending, training.extra.at_load = None, {}
        training.extra.watched = self._watched(script)
        return training

    def _watched(self, script: Watched) -> dict[str, Any]:
        there = dict(script.script.gi_frame.f_locals) if self.watch else {}
        for name in self.watch:
            if name not in there:
                raise ScriptError(
                    f"watch names {name!r}, which {_name(self.train)} has not where it saves or "
                    f"loads; it has {', '.join(sorted(there))}"
                )
            if not can_be_put_back(there[name]):
                raise ScriptError(
                    f"watch names {name!r}, a {type(there[name]).__name__}, which cannot be put "
                    "back: keep it in a dict or in an object"
                )
        return {name: there[name] for name in self.watch}

    def _leave(self, training: Training) -> None:
        os.chdir(os.path.dirname(training.extra.place))
        shutil.rmtree(training.extra.place, ignore_errors=True)


def _shared_place() -> str:
    """The working folder of all processes of a training, as of those that one `torchrun` starts;
    empty where there is one process."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ""
    name = f"training-{os.getppid()}-{os.environ['MASTER_PORT']}"
    place = os.path.join(tempfile.gettempdir(), name)
    os.makedirs(place, exist_ok=True)
    return place


_AHEAD = {
    watching.Stepping: "trained",
    watching.Yielded: "saved",
    watching.Ended: "ended",
}


def _name(function: Any) -> str:
    return f"{getattr(function, '__name__', function)}()"
