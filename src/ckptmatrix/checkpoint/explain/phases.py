"""What a training was doing when an exception was raised, told from its frames and its log."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

from ckptmatrix.checkpoint.explain.failures import Failure, Trace
from ckptmatrix.checkpoint.explain.frames import Frame
from ckptmatrix.checkpoint.explain.matching import in_places


class Phase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that a training does, as `phases.toml` has it."""

    name: str
    """What it does, such as `loading the optimizer`."""
    places: list[str]
    """Where a frame shows it."""
    part: str = ""
    """What `load_state` loads then."""
    order: int = 0
    """The place of that part in the order of loading, from 1; 0 for what loads no part."""
    log: str = ""
    """What accelerate logs after it."""
    command: str = "ckptmatrix inspect {dir}"
    """The command that comes next."""


@dataclass(frozen=True)
class Whereabouts:
    """What was going on, what is loaded by then, what to do next."""

    phase: str
    """What the frames show."""
    loaded: str
    """What of the checkpoint is loaded by then, one sentence."""
    command: str
    """The command that comes next; `{dir}` stands for the checkpoint."""


_FIXED = {
    "saving": "Nothing is loaded; the checkpoint that was being written is incomplete.",
    "building model, optimizer and data": "Nothing is loaded yet.",
}


@cache
def phases() -> tuple[Phase, ...]:
    """Every phase, the more exact ones first."""
    text = files(__package__).joinpath("phases.toml").read_text("utf-8")
    return tuple(msgspec.convert(tomllib.loads(text)["phase"], list[Phase]))


def whereabouts(failure: Failure, trace: Trace) -> Whereabouts | None:
    """Tell from the frames what was going on; None if they do not say."""
    for phase in phases():
        if any(_shows(frame, phase.places) for frame in failure.frames):
            return Whereabouts(phase.name, _loaded(phase, trace), phase.command)
    return None


def _shows(frame: Frame, places: list[str]) -> bool:
    """Whether a frame is in a place; one that asks for code is shown by code alone."""
    return in_places(frame, [p for p in places if frame.code or p.count(":") == 1])


def _loaded(phase: Phase, trace: Trace) -> str:
    if phase.name in _FIXED:
        return _FIXED[phase.name]
    done = [one.part for one in _in_order() if one.log and one.log in trace.text]
    if phase.name == "training":
        if done or "Loading states from" in trace.text:
            return "The load had returned; this is the training after it."
        return "This is training; if it is the first step after a load, that had returned."
    if not phase.order:
        if not done:
            return "What is loaded by then is not shown."
        return f"Loaded by then, as the log says: {_listed(done)}."
    before = [one.part for one in _in_order() if one.order < phase.order]
    after = [one.part for one in _in_order() if one.order > phase.order]
    if not before:
        return "Nothing else is loaded yet."
    rest = f"; not yet {_listed(after)}" if after else ""
    return f"Loaded by then, as far as they were saved: {_listed(before)}{rest}."


def _in_order() -> list[Phase]:
    return sorted((phase for phase in phases() if phase.order), key=lambda phase: phase.order)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
