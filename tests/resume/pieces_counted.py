"""Runs inside an environment: pieces of `resume` that count in the release's own unit."""

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from answering import FOLDER, answer  # type: ignore[import-not-found]  # copied beside

import resume  # type: ignore[import-not-found]  # copied beside


def counts() -> dict[str, Any]:
    """By what is known: the count of this release, out of 3 updates of 4 micro-batches."""
    known: dict[str, tuple[int, dict[str, Any]]] = {
        "updates, read as such": (3, {}),
        "micro-batches of an early release": (12, {"saved_early": True}),
        "updates of an early release": (3, {"saved_early": True}),
        "an update before its time, at the end of the data": (11, {"saved_early": True}),
        "in the middle of a round": (13, {"saved_early": True}),
        "micro-batches of a late release": (12, {}),
        "updates, read as micro-batches": (3, {"counted_in_updates": False}),
        "the same, after an update": (3, {"counted_in_updates": False, "at_update": True}),
        "the same, in a round": (3, {"counted_in_updates": False, "at_update": False}),
        "micro-batches, read as such": (12, {"counted_in_updates": False}),
        "nothing yet": (0, {"counted_in_updates": False, "updates": 0, "micro_batches": 0}),
    }
    base: dict[str, Any] = {
        "updates": 3,
        "micro_batches": 12,
        "at_update": None,
        "saved_early": False,
    }
    base["counted_in_updates"] = True
    return {
        title: resume._recount(count, resume._Progress(**{**base, **other}))
        for title, (count, other) in known.items()
    }


def accelerator(**other: Any) -> Any:
    """As much of one as a scheduler's count depends on: 3 updates of 4 micro-batches."""
    scheduler = SimpleNamespace(step_with_optimizer=True, gradient_state=None)
    optimizer = SimpleNamespace(state={0: {"step": torch.tensor(3.0)}, 1: {"exp_avg": None}})
    known: dict[str, Any] = {
        "gradient_accumulation_steps": 4,
        "num_processes": 1,
        "process_index": 0,
        "split_batches": False,
        "_schedulers": [scheduler],
        "_optimizers": [optimizer],
    }
    return SimpleNamespace(**{**known, **other})


def progress() -> dict[str, Any]:
    def of(step: Any = None, ranks: int = 1, safetensors: bool = False, **other: Any) -> Any:
        folder = Path(tempfile.mkdtemp(dir=FOLDER))
        states = {} if step is None else {"step": step}
        for rank in range(ranks):
            torch.save(states, folder / f"random_states_{rank}.pkl")
        if safetensors:
            (folder / "model.safetensors").touch()
        load = resume._Load(accelerator(**other), resume._Checkpoint(folder, (), ()))
        return load.progress()

    old = SimpleNamespace(step_with_optimizer=True)
    alone = SimpleNamespace(step_with_optimizer=False, gradient_state=None)
    return {
        "early": of(),
        "with safetensors": of(safetensors=True),
        "with a step": of(step=8),
        "in a round": of(step=9),
        "two processes": of(ranks=2, num_processes=2),
        "split batches": of(ranks=2, num_processes=2, split_batches=True),
        "read by 0.15": of(_schedulers=[old]),
        "no accumulation": of(gradient_accumulation_steps=1),
        "stepped by the script": of(_schedulers=[alone]),
        "other processes": of(ranks=2),
        "plain SGD": of(_optimizers=[SimpleNamespace(state={})]),
    }


def recounted() -> dict[str, Any]:
    folder = FOLDER / "recounted"
    folder.mkdir()
    torch.save({}, folder / "random_states_0.pkl")

    def of(count: int, **other: Any) -> Any:
        load = resume._Load(accelerator(**other), resume._Checkpoint(folder, (), ()))
        file = resume._described("scheduler.bin")
        state = load.recounted({"last_epoch": count, "_step_count": count + 1, "x": 1}, file)
        outcome = load.components.get("scheduler")
        return [state, outcome and [outcome.status, outcome.how]]

    old = [SimpleNamespace(step_with_optimizer=True)]
    return {
        "as it is": of(3),
        "anew": of(12),
        "unknown": of(3, _schedulers=old),
        "alike": of(12, gradient_accumulation_steps=1),
    }


def steps() -> dict[str, Any]:
    def of(states: Any, given: Any, unread: Any = None) -> Any:
        load = resume._Load(SimpleNamespace(process_index=0, step=99), None)
        load.random_states = states
        if unread:
            load.components["step"] = resume.Component("lost", unread)
        load.restore_step(given)
        outcome = load.components["step"]
        return [load.accelerator.step, outcome.status, outcome.how]

    return {
        "saved": of({"step": 5}, None),
        "both": of({"step": 5}, 7),
        "given": of({}, 7),
        "given, unread": of({}, 7, "damaged"),
        "unread": of({}, None, "damaged"),
        "neither": of({"random_state": 1}, None),
    }


if __name__ == "__main__":
    answer(counts, progress, recounted, steps)
