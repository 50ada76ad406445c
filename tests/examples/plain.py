"""A save-load-compare without ckptmatrix: what a careful person would do with an example by hand.

    python plain.py save FOLDER NUMBER ...      the NUMBERth save of the train.py in FOLDER
    python plain.py resume FOLDER DIRECTORY ...

Each pair of arguments is a process of its own, forked when accelerate is imported and nothing else
has been done. Prints JSON, a line for each: what the script printed of the steps that followed, and
digests of the state that a checkpoint is to hold: when the script had saved, or when `load_state`
had returned.
"""

import contextlib
import hashlib
import importlib
import io
import json
import os
import random
import sys
from typing import Any

import accelerate
import numpy as np
import torch

STEPS = 6


def digest(value: Any) -> str:
    """Of whatever a state dict holds."""
    total = hashlib.sha256()

    def take(one: Any) -> None:
        if isinstance(one, dict):
            for name in sorted(one, key=str):
                total.update(str(name).encode())
                take(one[name])
        elif isinstance(one, (list, tuple)):
            for item in one:
                take(item)
        elif isinstance(one, (torch.Tensor, np.ndarray)):
            total.update(np.asarray(one).tobytes())
        else:
            total.update(repr(one).encode())

    take(value)
    return total.hexdigest()


def state_of(accelerator: Any) -> dict[str, Any]:
    """Everything that a checkpoint is to bring back, and no more than is trained."""
    trained = [
        p.detach() for o in accelerator._optimizers for g in o.param_groups for p in g["params"]
    ]
    return {
        "model": digest(trained),
        "optimizer": digest([one.state_dict() for one in accelerator._optimizers]),
        "scheduler": digest([one.state_dict() for one in accelerator._schedulers]),
        "rng.python": digest(random.getstate()),
        "rng.numpy": digest(np.random.get_state()),
        "rng.torch": digest(torch.get_rng_state()),
        "step": getattr(accelerator, "step", None),
    }


class Watched(accelerate.Accelerator):
    """Remembers itself, and what it was like when it had loaded."""

    latest: Any = None
    loaded: Any = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        Watched.latest = self

    def load_state(self, *arguments: Any, **named: Any) -> None:
        # Wherever the writer was, by no luck is a new process there.
        random.seed(77)
        np.random.seed(77)
        torch.manual_seed(77)
        super().load_state(*arguments, **named)
        Watched.loaded = state_of(self)


class EnoughError(Exception):
    """The steps that count have been seen."""


class Steps(io.StringIO):
    """What a script prints: a line for each step."""

    left = -1

    def write(self, text: str) -> int:
        if self.left == 0:
            raise EnoughError
        self.left -= "\n" in text and self.left > 0
        return super().write(text)


def apart(way: str, folder: str, argument: str) -> None:
    """Do it in a process of its own, as if this one had been started in that folder.

    Raises:
        SystemExit: it failed, and has said why.
    """
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        os.chdir(folder)
        sys.path.insert(0, folder)
        random.seed()  # as a new process is, unlike those beside it
        np.random.seed()
        try:
            observe(way, argument)
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 - a fork never returns to who forked it
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    if os.waitpid(process, 0)[1]:
        raise SystemExit(1)


def observe(way: str, argument: str) -> None:
    """Run the script in this folder, and print what it is like."""
    accelerate.Accelerator = Watched
    train = importlib.import_module("train")

    steps = Steps()
    state, where, error = None, None, None
    with contextlib.redirect_stdout(steps), contextlib.suppress(EnoughError):
        if way == "save":
            script = train.train()
            for _ in range(int(argument)):
                where = next(script)
            state = state_of(Watched.latest)
            steps.truncate(0)
            steps.seek(0)
        else:
            script = train.train(resume_from=argument)
        steps.left = STEPS
        try:
            for _ in script:
                pass
        except EnoughError:
            raise
        except Exception as raised:  # noqa: BLE001 - whatever it raises is the outcome
            error = type(raised).__name__
    state = state or Watched.loaded
    print(json.dumps({"where": where, "state": state, "error": error, "steps": steps.getvalue()}))


if __name__ == "__main__":
    chosen, *pairs = sys.argv[1:]
    for place, what in zip(pairs[::2], pairs[1::2]):  # noqa: B905 - Python 3.9
        apart(chosen, place, what)
